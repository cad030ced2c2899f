import { Worker } from 'bullmq';
import { programOptions, serve } from '../programs.ts';

/** BullMQ's worker with a processor that does nothing. */

export interface BullWorkerOptions {
  readonly port: number;
  readonly queue: string;
  readonly concurrency: number;
}

export type BullQuestion =
  /** Answered when the worker is connected. */
  | { readonly type: 'ready' }
  /** Answered when this many more jobs are complete. */
  | { readonly type: 'completed'; readonly jobs: number }
  /** Answered at the next start of a job. */
  | { readonly type: 'next-start' };

export interface BullAnswer {
  /** The machine's steady clock, ns (`process.hrtime`). */
  readonly at: string;
}

const { port, queue, concurrency } = programOptions<BullWorkerOptions>();
const answerNow = (): BullAnswer => ({ at: String(process.hrtime.bigint()) });

let completed = 0;
let awaited = Number.POSITIVE_INFINITY;
let onStart: ((answer: BullAnswer) => void) | undefined;
let onCompleted: ((answer: BullAnswer) => void) | undefined;

function checkCompleted(): void {
  if (completed < awaited) return;
  completed -= awaited;
  awaited = Number.POSITIVE_INFINITY;
  onCompleted?.(answerNow());
}

const worker = new Worker(
  queue,
  async () => {
    onStart?.(answerNow());
    onStart = undefined;
  },
  { connection: { host: '127.0.0.1', port, maxRetriesPerRequest: null }, concurrency },
);
worker.on('completed', () => {
  completed++;
  checkCompleted();
});

serve<BullQuestion, BullAnswer>(async (question) => {
  if (question.type === 'ready') {
    await worker.waitUntilReady();
    return answerNow();
  }
  return await new Promise((resolve) => {
    if (question.type === 'next-start') {
      onStart = resolve;
      return;
    }
    onCompleted = resolve;
    awaited = question.jobs;
    checkCompleted();
  });
});

process.once('SIGTERM', async () => {
  await worker.close();
  process.exit();
});
