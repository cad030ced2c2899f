import { Readable } from 'node:stream';
import type { Reference, SEED_ROUTES, SeedOutput } from '../../../shared/api-seed.ts';
import { LanyardError } from '../../../shared/errors.ts';
import { attemptId, type JobId } from '../../../shared/ids.ts';
import type { LogStream } from '../../../shared/protocol.ts';
import type { AttemptView } from '../../../shared/view.ts';
import type { Farm } from '../../daemon/farm.ts';
import type { ApiContext } from '../context.ts';
import { asJsonLines, asText, logRecords } from '../log-text.ts';
import type { HandlersOf } from '../route-types.ts';
import { heldAttempt } from './attempts.ts';
import type { Speakers } from './speakers.ts';

type Names = 'seedWriteOutput' | 'seedReadOutput';

/** Output that a status carries, of both streams together; the rest is at `stream-output`. */
const HEAD_BYTES = 256 * 1024;

export function seedOutputHandlers({ farm, logs }: ApiContext, speakers: Speakers): HandlersOf<Pick<typeof SEED_ROUTES, Names>> {
  return {
    async seedWriteOutput({ body, query, identity }) {
      const named = body instanceof Uint8Array ? {} : body;
      const reference = named.id ?? query.id;
      if (reference === undefined) throw new LanyardError({ code: 'INVALID', field: 'id', message: 'it is not said whose output this is' });
      const held = heldAttempt(farm, reference, named.workerId ?? query.workerId);
      if (held === undefined) return { success: true, stop: true };
      speakers.check(identity, held.node);
      if (farm.poll.shouldStop(held.node, held.attempt)) return { success: true, stop: true };
      const parts: [LogStream, string | Uint8Array | undefined][] =
        body instanceof Uint8Array
          ? [[query.stream, body]]
          : [
              [body.stream ?? query.stream, body.output],
              ['stdout', body.stdout],
              ['stderr', body.stderr],
            ];
      for (const [stream, text] of parts)
        if (text !== undefined && text.length > 0) await farm.poll.appendLog(held.node, held.attempt, stream, Buffer.from(text));
      return { success: true, stop: false };
    },
    seedReadOutput({ query, request, signal }) {
      const isEvents = (request.headers.accept ?? '').includes('text/event-stream');
      const headers = { 'content-type': isEvents ? 'text/event-stream' : 'text/plain; charset=utf-8' };
      const attempt = meantAttempt(farm, query.id);
      if (attempt === undefined) return { headers, body: '' };
      const isLive = () => {
        const newest = query.follow ? meantAttempt(farm, query.id) : undefined;
        return newest?.id === attempt.id && newest.finishedAt === null;
      };
      const records = logRecords(logs.read(attempt.id, 0, isLive, signal), { offset: query.offset, stream: query.stream });
      const body = isEvents ? asJsonLines(records, 'data: ', '\n\n') : asText(records);
      return { headers, body: Readable.from(body, { objectMode: false }), live: isLive() };
    },
  };
}

/** The beginning of what the meant task's newest attempt has written; nothing for a job of many tasks. */
export async function headOfOutput({ farm, logs }: ApiContext, reference: Reference, signal: AbortSignal): Promise<SeedOutput> {
  const head = { stdout: '', stderr: '', output: '', truncated: false };
  const attempt = meantAttempt(farm, reference);
  if (attempt === undefined) return head;
  let left = HEAD_BYTES;
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder(), system: new TextDecoder() };
  for await (const { stream, bytes } of logRecords(logs.read(attempt.id, 0, false, signal), { offset: 0, stream: undefined })) {
    if (left === 0) return { ...head, truncated: true };
    const taken = bytes.subarray(0, left);
    left -= taken.byteLength;
    const text = decoders[stream].decode(taken, { stream: true });
    head.output += text;
    if (stream !== 'system') head[stream] += text;
    if (taken.byteLength < bytes.byteLength) head.truncated = true;
  }
  return head;
}

function meantAttempt(farm: Farm, reference: Reference) {
  const job = reference.job as JobId;
  if (reference.index === undefined && farm.job(job).taskCount > 1) return undefined;
  const index = reference.index ?? 0;
  const { task, attempts } = farm.task(job, index);
  const number = reference.number ?? task.attempt;
  const found: AttemptView | undefined = attempts.find((one) => one.number === number);
  return found === undefined ? undefined : { id: attemptId(job, index, number), finishedAt: found.finishedAt };
}
