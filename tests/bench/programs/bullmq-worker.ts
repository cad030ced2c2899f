import { Worker } from 'bullmq';
import { programOptions, serve } from '../programs.ts';
import { recordStarts } from './starts.ts';

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
  /** Asks when the job of this number, from 1, started here. */
  | { readonly type: 'start'; readonly number: number };

export interface BullAnswer {
  /** The machine's steady clock, ns (`process.hrtime`). */
  readonly at: string;
}

const { port, queue, concurrency } = programOptions<BullWorkerOptions>();
const answerNow = (): BullAnswer => ({ at: String(process.hrtime.bigint()) });

let completed = 0;
let awaited = Number.POSITIVE_INFINITY;
const starts = recordStarts();
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
    starts.note();
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
  if (question.type === 'start') return { at: await starts.at(question.number) };
  return await new Promise((resolve) => {
    onCompleted = resolve;
    awaited = question.jobs;
    checkCompleted();
  });
});

process.once('SIGTERM', async () => {
  await worker.close();
  process.exit();
});
