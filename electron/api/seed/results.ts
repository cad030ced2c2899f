import type { z } from 'zod';
import type { SEED_ROUTES } from '../../../shared/api-seed.ts';
import { LanyardError } from '../../../shared/errors.ts';
import { type NodeId, parseAttemptId } from '../../../shared/ids.ts';
import type { OutputFile } from '../../../shared/job.ts';
import { type AttemptEnd, attemptEndSchema, type LogStream } from '../../../shared/protocol.ts';
import type { TaskView } from '../../../shared/view.ts';
import { nameFault, shownName } from '../../files/names.ts';
import type { ApiContext } from '../context.ts';
import type { Call, HandlersOf } from '../route-types.ts';
import { type Held, heldAttempt } from './attempts.ts';
import type { Speakers } from './speakers.ts';

type Names = 'seedSucceed' | 'seedFail';
type Body = Call<(typeof SEED_ROUTES)['seedSucceed']>['body'];
type Answer = z.output<(typeof SEED_ROUTES)['seedSucceed']['answer']>;

/** How tasks of workers that poll end. Sending the same result again is answered as the first time, so that a lost answer may be asked for again. */
export function seedResultHandlers(context: ApiContext, speakers: Speakers): HandlersOf<Pick<typeof SEED_ROUTES, Names>> {
  return {
    seedSucceed: ({ body, identity }) => submit(context, body, isFailure(body), (node) => speakers.check(identity, node)),
    seedFail: ({ body, identity }) => submit(context, body, true, (node) => speakers.check(identity, node)),
  };
}

function isFailure(body: Body): boolean {
  return (body.exitCode ?? 0) !== 0 || body.status === 'FAILED' || body.status === 'TIMED_OUT';
}

async function submit(context: ApiContext, body: Body, failed: boolean, mayEnd: (node: NodeId) => void): Promise<Answer> {
  const { farm } = context;
  const held = heldAttempt(farm, body.id, body.workerId);
  if (held === undefined)
    throw new LanyardError({
      code: 'CONFLICT',
      message: 'nothing of this job is at work at this worker: it has ended, or was given to another',
    });
  mayEnd(held.node);
  const end = await endOf(context, body, failed);
  const before = sameEndBefore(context, held, end);
  if (before !== undefined) return answer(before, held);
  for (const [stream, text] of outputOf(body)) await farm.poll.appendLog(held.node, held.attempt, stream, Buffer.from(text));
  return answer(await farm.poll.end(held.node, held.attempt, end), held);
}

function answer(task: TaskView, held: Held): Answer {
  return { success: true, id: held.attempt, jobId: String(task.job), status: task.state };
}

function sameEndBefore({ farm }: ApiContext, { node, attempt }: Held, end: AttemptEnd): TaskView | undefined {
  const key = parseAttemptId(attempt);
  if (key === undefined) return undefined;
  const { task, attempts } = farm.task(key.job, key.index);
  const ended = attempts.find((one) => one.number === key.number && one.finishedAt !== null);
  return ended?.node === node && ended.reason === end.reason ? task : undefined;
}

async function endOf(context: ApiContext, body: Body, failed: boolean): Promise<AttemptEnd> {
  return attemptEndSchema.parse({
    reason: !failed ? 'completed' : body.status === 'TIMED_OUT' ? 'timeout' : 'exit',
    exitCode: body.exitCode ?? (failed ? null : 0),
    message: body.message === undefined ? null : asText(body.message).slice(0, 4_096),
    outputs: failed ? [] : await outputFiles(context, body),
    ranForMs: body.ranForMs,
    cpuMs: body.cpuMs,
    peakRamMb: body.peakRamMb,
  });
}

async function outputFiles({ blobs }: ApiContext, body: Body): Promise<OutputFile[]> {
  const files: OutputFile[] = [];
  for (const { path, blob } of body.outputs ?? []) {
    const fault = nameFault(path);
    if (fault !== undefined)
      throw new LanyardError({ code: 'INVALID', field: 'outputs', message: `the output ${shownName(path)} is refused: ${fault}` });
    const bytes = await blobs.size(blob);
    if (bytes === undefined)
      throw new LanyardError({ code: 'INVALID', field: 'outputs', message: `the output ${shownName(path)} was not uploaded` });
    files.push({ path, bytes, blob });
  }
  return files;
}

function outputOf(body: Body): [LogStream, string][] {
  const all: [LogStream, string | undefined][] = [
    ['stdout', body.stdout],
    ['stderr', body.stderr],
    ['stdout', body.output === undefined ? undefined : asText(body.output)],
  ];
  return all.filter((one): one is [LogStream, string] => one[1] !== undefined && one[1] !== '');
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
