import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { LogStream } from '../../shared/protocol.ts';
import { demultiplex, pumpOutput } from './output.ts';

function frame(type: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = type;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** What the sink got, with neighbouring pieces of one stream joined. */
function gather() {
  const seen: [LogStream, string][] = [];
  const add = (stream: LogStream, bytes: Uint8Array) => {
    const last = seen.at(-1);
    if (last?.[0] === stream) last[1] += Buffer.from(bytes).toString();
    else seen.push([stream, Buffer.from(bytes).toString()]);
  };
  return { seen, add };
}

describe('demultiplexing', () => {
  const whole = Buffer.concat([frame(1, 'out'), frame(2, ''), frame(2, 'err'), frame(3, 'engine'), frame(1, 'x'.repeat(300))]);
  const expected = [
    ['stdout', 'out'],
    ['stderr', 'err'],
    ['system', 'engine'],
    ['stdout', 'x'.repeat(300)],
  ];

  it('splits the streams however the bytes are cut', () => {
    for (let size = 1; size <= whole.length; size += 1) {
      const { seen, add } = gather();
      const take = demultiplex((stream, bytes) => {
        add(stream, bytes);
        return undefined;
      });
      for (let at = 0; at < whole.length; at += size) expect(take(whole.subarray(at, at + size))).toBeUndefined();
      expect(seen).toEqual(expected);
    }
  });

  it('waits for the sink between pieces', async () => {
    const { seen, add } = gather();
    const gates: (() => void)[] = [];
    const take = demultiplex((stream, bytes) => {
      add(stream, bytes);
      return new Promise((resolve) => gates.push(resolve));
    });
    const done = take(whole);
    for (let piece = 1; piece <= 4; piece += 1) {
      expect(seen).toHaveLength(piece);
      gates[piece - 1]?.();
      await new Promise(setImmediate);
    }
    await done;
    expect(seen).toEqual(expected);
  });

  it('refuses what is no multiplexed output', () => {
    expect(() => demultiplex(() => undefined)(Buffer.from('plain text'))).toThrow('unknown type 112');
  });
});

describe('pumping', () => {
  it('takes everything, reading on only when the last piece was taken', async () => {
    let read = 0;
    const source = Readable.from(
      (function* () {
        for (; read < 5; read += 1) yield Buffer.from([read]);
      })(),
      { highWaterMark: 1 },
    );
    const taken: number[] = [];
    const pump = pumpOutput(source, async (bytes) => {
      await new Promise(setImmediate);
      taken.push(bytes[0] as number);
      expect(read - taken.length).toBeLessThanOrEqual(2);
    });
    expect(await pump.done).toBeUndefined();
    expect(taken).toEqual([0, 1, 2, 3, 4]);
  });

  it("hands over the sink's error and lets go of the source", async () => {
    const source = new PassThrough();
    source.write('text');
    const pump = pumpOutput(source, () => Promise.reject(new Error('disk full')));
    expect((await pump.done)?.message).toBe('disk full');
    expect(source.destroyed).toBe(true);
  });

  it('takes a source that breaks off for ended', async () => {
    const source = new PassThrough();
    const pump = pumpOutput(source, () => undefined);
    source.destroy(new Error('ECONNRESET'));
    expect(await pump.done).toBeUndefined();
  });

  it('gives up on a source that stays silent once its writer is gone, but never on a slow sink', async () => {
    const source = new PassThrough();
    const taken: string[] = [];
    const gate = Promise.withResolvers<void>();
    const pump = pumpOutput(source, async (bytes) => {
      await gate.promise;
      taken.push(Buffer.from(bytes).toString());
    });
    source.write('first');
    await new Promise(setImmediate);
    pump.finish(5);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(source.destroyed).toBe(false);
    gate.resolve();
    expect(await pump.done).toBeUndefined();
    expect(taken).toEqual(['first']);
    expect(source.destroyed).toBe(true);
  });
});
