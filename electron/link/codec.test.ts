import { describe, expect, it } from 'vitest';
import type { AttemptId, BlobId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { type AssignmentGroup, type CoordinatorMessage, PROTOCOL_VERSION, type Report, type WorkerMessage } from '../../shared/protocol.ts';
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
  const end = {
    reason: 'completed' as const,
    exitCode: 0,
    message: null,
    outputs,
    started: false,
    ranForMs: 5,
    cpuMs: null,
    peakRamMb: null,
    logBytes: 0,
  };
  return { kind: 'ended', attempt: attempt(index), end };
}

function group(name: string, ...attempts: readonly AttemptId[]): AssignmentGroup {
  const work = {
    name,
    owner: 'ana',
    command: 'true',
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
  return { work, attempts: attempts.map((id) => ({ attempt: id, parameters: { index: 0 }, gpus: [], files: [] })) };
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
    const assign: CoordinatorMessage = { type: 'assign', groups: [group('one', attempt(0), attempt(0, 2)), group('two', attempt(0, 3))] };
    expect(through(decodeCoordinatorMessage, encodeMessage(assign).frames)).toEqual([assign]);
  });

  it('leaves out of an end what its reader fills in, and nothing else', () => {
    const nothing = { exitCode: null, message: null, outputs: [], started: false, ranForMs: 0, cpuMs: null, peakRamMb: null, logBytes: 0 };
    const everything = { exitCode: 0, message: 'm', started: true, ranForMs: 1, cpuMs: 0, peakRamMb: 0, logBytes: 2 };
    const reports: Report[] = [
      { kind: 'ended', attempt: attempt(0), end: { reason: 'cancelled', ...nothing } },
      {
        kind: 'ended',
        attempt: attempt(1),
        end: { reason: 'completed', outputs: [{ path: 'a', bytes: 0, blob: 'a'.repeat(64) as BlobId }], ...everything },
      },
    ];
    const { frames } = encodeMessage({ type: 'reports', reports });
    expect(through(decodeWorkerMessage, frames)).toEqual([{ type: 'reports', reports }]);
    expect(frames[0]).toContain('{"kind":"ended","attempt":"1.0.1","end":{"reason":"cancelled"}}');
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

  it('splits assignments between their groups, and a group that is too large within', () => {
    const jobs = (from: number, count: number) => Array.from({ length: count }, (_, index) => attempt(0, from + index));
    const groups = [
      group('one', attempt(0, 1)),
      group('two', ...jobs(2, LIMITS.attemptsPerMessage + 1)),
      group('three', attempt(0, 2_000)),
    ];
    const { frames } = encodeMessage({ type: 'assign', groups });
    const parts = through(decodeCoordinatorMessage, frames).map((part) => (part.type === 'assign' ? part.groups : []));
    const one = LIMITS.attemptsPerMessage / 2;
    expect(parts).toEqual([
      [group('one', attempt(0, 1))],
      [group('two', ...jobs(2, one))],
      [group('two', ...jobs(2 + one, one + 1))],
      [group('three', attempt(0, 2_000))],
    ]);
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

  it('refuses assignments of more attempts than a message may name, in however many groups', () => {
    const attempts = Array.from({ length: LIMITS.attemptsPerMessage }, (_, index) => attempt(index));
    const decoded = decodeCoordinatorMessage(
      Buffer.from(JSON.stringify({ type: 'assign', groups: [group('one', ...attempts), group('two', attempt(0, 2))] })),
    );
    expect(decoded).toEqual({ error: 'the message is not valid: groups: at most 1000 attempts' });
  });

  it('checks work that says the same once, and gives it as one object', () => {
    const assign = (...groups: unknown[]) => decodeCoordinatorMessage(Buffer.from(JSON.stringify({ type: 'assign', groups })));
    const works = [group('one', attempt(0)), group('two', attempt(1)), group('one', attempt(2))].map((each) => {
      const decoded = assign(each);
      if ('error' in decoded || decoded.message.type !== 'assign') throw new Error('no assignment');
      return decoded.message.groups[0]?.work;
    });
    expect(works[0]).toEqual(group('one').work);
    expect(works[1]).toEqual(group('two').work);
    expect(works[2]).toBe(works[0]);
    for (const wrong of [{ ...group('one').work, timeoutMs: 'never' }, { name: 'half' }, undefined])
      for (let time = 0; time < 2; time++)
        expect(assign({ work: wrong, attempts: [] })).toEqual({
          error: expect.stringMatching(/^the message is not valid: groups\.0\.work/),
        });
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
    const first = { type: 'assign' as const, groups: [group('one', attempt(0))] };
    outbox.push(first);
    outbox.push({ type: 'assign', groups: [group('two', attempt(0, 2))] });
    outbox.push({ type: 'stop', attempts: [{ attempt: attempt(0), reason: 'cancelled', graceMs: 0 }] });
    outbox.push({ type: 'stop', attempts: [{ attempt: attempt(1), reason: 'cancelled', graceMs: 0 }] });
    outbox.push({ type: 'assign', groups: [group('one', attempt(2))] });
    expect(outbox.empty).toBe(false);
    const messages = through(decodeCoordinatorMessage, outbox.take().frames);
    expect(messages.map(({ type }) => type)).toEqual(['assign', 'stop', 'assign']);
    expect(messages[0]).toEqual({ type: 'assign', groups: [group('one', attempt(0)), group('two', attempt(0, 2))] });
    expect(first.groups).toHaveLength(1);
    expect(outbox.empty).toBe(true);
    expect(outbox.take()).toEqual({ frames: [], errors: [] });
  });
});
