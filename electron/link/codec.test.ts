import { describe, expect, it } from 'vitest';
import type { AttemptId, BlobId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { type CoordinatorMessage, PROTOCOL_VERSION, type Report, type Work, type WorkerMessage } from '../../shared/protocol.ts';
import { helloOf } from '../../tests/fakes/link-world.ts';
import { decodeCoordinatorMessage, decodeHello, decodeWorkerMessage, encodeMessage } from './codec.ts';
import { createOutbox } from './outbox.ts';

const attempt = (index: number, job = 1) => `${job}.${index}.1` as AttemptId;

function ended(index: number, files = 0): Report {
  const outputs = Array.from({ length: files }, (_, file) => ({
    path: `${file}/`.padEnd(LIMITS.pathLength, 'ä'),
    bytes: 1,
    blob: 'a'.repeat(64) as BlobId,
  }));
  const end = { reason: 'completed' as const, exitCode: 0, message: null, outputs, ranForMs: 5, cpuMs: null, peakRamMb: null, logBytes: 0 };
  return { kind: 'ended', attempt: attempt(index), end };
}

function work(job: number, command = 'true'): Work {
  return {
    job,
    name: 'job',
    owner: 'ana',
    command,
    image: null,
    input: null,
    files: [],
    env: {},
    workdir: '.',
    outputs: [],
    requirements: { cpu: 1, ramMb: 1, gpus: 0, gpuRamMb: 0, diskMb: 0, labels: [], limits: {} },
    timeoutMs: 1_000,
    network: false,
  };
}

function through<T>(decode: (text: Buffer) => { message: T } | { error: string }, frames: readonly string[]): T[] {
  return frames.map((frame) => {
    const decoded = decode(Buffer.from(frame));
    if ('error' in decoded) throw new Error(decoded.error);
    return decoded.message;
  });
}

describe('encodeMessage', () => {
  it('gives back what was encoded', () => {
    const messages: WorkerMessage[] = [helloOf('a'), { type: 'reports', reports: [ended(0, 2)] }, { type: 'goodbye' }];
    for (const message of messages) expect(through(decodeWorkerMessage, encodeMessage(message).frames)).toEqual([message]);
    const assign: CoordinatorMessage = {
      type: 'assign',
      work: [work(1)],
      attempts: [{ attempt: attempt(0), parameters: { index: 0 }, gpus: [], files: [] }],
    };
    expect(through(decodeCoordinatorMessage, encodeMessage(assign).frames)).toEqual([assign]);
  });

  it('splits what is too large into frames within the limit, in order', () => {
    const reports = Array.from({ length: 12 }, (_, index) => ended(index, 700));
    const { frames, errors } = encodeMessage({ type: 'reports', reports });
    expect(errors).toEqual([]);
    expect(frames.length).toBeGreaterThan(1);
    for (const frame of frames) expect(Buffer.byteLength(frame)).toBeLessThanOrEqual(LIMITS.messageBytes);
    expect(through(decodeWorkerMessage, frames).flatMap((message) => (message.type === 'reports' ? message.reports : []))).toEqual(reports);
  });

  it('leaves out one item that alone is too large, and only that', () => {
    const { frames, errors } = encodeMessage({ type: 'reports', reports: [ended(0), ended(1, 10_000), ended(2)] });
    const kept = through(decodeWorkerMessage, frames).flatMap((message) => (message.type === 'reports' ? message.reports : []));
    expect(kept).toEqual([ended(0), ended(2)]);
    expect(errors).toEqual([`a message "reports" about 1.1.1 is larger than ${LIMITS.messageBytes} bytes`]);
  });

  it('gives each part of an assignment the jobs of its own attempts', () => {
    const jobs = Array.from({ length: LIMITS.attemptsPerMessage + 2 }, (_, index) => index + 1);
    const { frames } = encodeMessage({
      type: 'assign',
      work: jobs.map((job) => work(job)),
      attempts: jobs.map((job) => ({ attempt: attempt(0, job), parameters: {}, gpus: [], files: [] })),
    });
    const parts = through(decodeCoordinatorMessage, frames);
    expect(parts).toHaveLength(2);
    for (const part of parts) {
      if (part.type !== 'assign') throw new Error(part.type);
      expect(part.work.map(({ job }) => `${job}.0.1`)).toEqual(part.attempts.map((each) => each.attempt));
    }
  });
});

describe('decoding', () => {
  it.each([
    ['', 'the message is not JSON'],
    ['{"type":"reports"', 'the message is not JSON'],
    ['\uFFFD\u0000', 'the message is not JSON'],
    ['null', /not valid/],
    ['[]', /not valid/],
    ['{"type":"reports","reports":[{"kind":"started","attempt":"1.01.1"}]}', /reports\.0\.attempt: expected an attempt id/],
    ['{"type":"sudo"}', /not valid/],
  ])('turns %j into a sentence', (text, error) => {
    const decoded = decodeWorkerMessage(Buffer.from(text));
    expect('error' in decoded ? decoded.error : 'decoded').toMatch(error);
  });

  it('refuses a text over the limit without parsing it', () => {
    const decoded = decodeCoordinatorMessage(Buffer.alloc(LIMITS.messageBytes + 1, ' '));
    expect(decoded).toEqual({ error: `the message has ${LIMITS.messageBytes + 1} bytes; at most ${LIMITS.messageBytes} are allowed` });
  });

  it('names both versions of a hello of another version, whatever else it says', () => {
    const decoded = decodeHello(Buffer.from('{"type":"hello","protocol":77,"shape":"new"}'));
    expect('error' in decoded ? decoded.error : '').toMatch(new RegExp(`protocol 77, the coordinator ${PROTOCOL_VERSION}`));
    expect(decodeHello(Buffer.from('{"type":"goodbye"}'))).toEqual({ error: 'the first message is not a hello' });
  });
});

describe('an outbox', () => {
  it('merges neighbours of one kind and keeps the order, without touching what was pushed', () => {
    const outbox = createOutbox();
    const first: CoordinatorMessage = {
      type: 'assign',
      work: [work(1)],
      attempts: [{ attempt: attempt(0), parameters: {}, gpus: [], files: [] }],
    };
    outbox.push(first);
    outbox.push({ type: 'assign', work: [work(1), work(2)], attempts: [{ attempt: attempt(0, 2), parameters: {}, gpus: [], files: [] }] });
    outbox.push({ type: 'stop', attempts: [{ attempt: attempt(0), reason: 'cancelled', graceMs: 0 }] });
    outbox.push({ type: 'stop', attempts: [{ attempt: attempt(1), reason: 'cancelled', graceMs: 0 }] });
    outbox.push({ type: 'assign', work: [work(1)], attempts: [{ attempt: attempt(2), parameters: {}, gpus: [], files: [] }] });
    expect(outbox.empty).toBe(false);
    const messages = through(decodeCoordinatorMessage, outbox.take().frames);
    expect(messages.map(({ type }) => type)).toEqual(['assign', 'stop', 'assign']);
    expect(messages[0]).toMatchObject({ work: [{ job: 1 }, { job: 2 }], attempts: [{ attempt: '1.0.1' }, { attempt: '2.0.1' }] });
    expect(first.attempts).toHaveLength(1);
    expect(outbox.empty).toBe(true);
    expect(outbox.take()).toEqual({ frames: [], errors: [] });
  });
});
