import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../shared/protocol.ts';
import { createLogDecoder, encodeLog, encodeSystemLine, LOG_RECORD_BYTES } from './log-records.ts';

describe('log records', () => {
  it('lays the header out as documented', () => {
    const framed = encodeLog('stderr', 1_700_000_000_000.5, Buffer.from('hi'));
    expect([...framed.subarray(0, 8)]).toEqual([2, 0, 0, 0, 2, 0, 0, 0]);
    expect(framed.readDoubleLE(8)).toBe(1_700_000_000_000.5);
    expect(framed.subarray(16).toString()).toBe('hi');
  });

  it('splits bytes that are too long for one record', () => {
    const framed = encodeLog('stdout', 1, Buffer.alloc(LOG_RECORD_BYTES + 1, 120));
    const { records, error } = createLogDecoder().push(framed);
    expect(error).toBeNull();
    expect(records.map((record) => record.bytes.byteLength)).toEqual([LOG_RECORD_BYTES, 1]);
  });

  it('gives back what was encoded, however the bytes are cut', () => {
    const record = fc.record({
      stream: fc.constantFrom('stdout', 'stderr', 'system'),
      time: fc.double({ noNaN: true, min: 0, max: 1e15 }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), fc.array(fc.nat(40), { minLength: 1 }), (sent, steps) => {
        const framed = Buffer.concat(sent.map(({ stream, time, bytes }) => encodeLog(stream, time, bytes)));
        const decoder = createLogDecoder();
        const received: LogRecord[] = [];
        for (let at = 0, turn = 0; at < framed.length; turn += 1) {
          const step = (steps[turn % steps.length] ?? 0) + 1;
          received.push(...decoder.push(framed.subarray(at, at + step)).records);
          at += step;
        }
        expect(received.map((one) => ({ ...one, bytes: new Uint8Array(one.bytes) }))).toEqual(sent);
        expect(decoder.wantedBytes).toBe(0);
      }),
    );
  });

  it('says how much the record under way still wants', () => {
    const framed = encodeLog('stdout', 1, Buffer.from('abcdef'));
    const decoder = createLogDecoder();
    decoder.push(framed.subarray(0, 10));
    expect(decoder.wantedBytes).toBe(6);
    decoder.push(framed.subarray(10, 18));
    expect(decoder.wantedBytes).toBe(4);
    expect(decoder.push(framed.subarray(18)).records).toHaveLength(1);
  });

  it('takes a record without bytes', () => {
    const empty = encodeSystemLine(5, '').subarray(0, 16);
    empty.writeUInt32LE(0, 4);
    expect(createLogDecoder().push(empty).records).toEqual([{ stream: 'system', time: 5, bytes: Buffer.alloc(0) }]);
  });

  it.each([
    ['an unknown stream', (header: Buffer) => header.writeUInt8(9, 0), /unknown stream/],
    ['bytes that should be zero', (header: Buffer) => header.writeUInt8(1, 3), /unknown stream/],
    ['a length beyond the bound', (header: Buffer) => header.writeUInt32LE(LOG_RECORD_BYTES + 1, 4), /262145 bytes/],
    ['a time that is no number', (header: Buffer) => header.writeDoubleLE(Number.NaN, 8), /without a time/],
  ])('stops with an error value at %s', (_, damage, message) => {
    const good = encodeLog('stdout', 1, Buffer.from('good'));
    const bad = encodeLog('stdout', 1, Buffer.from('bad'));
    damage(bad);
    const decoder = createLogDecoder();
    const first = decoder.push(Buffer.concat([good, bad]));
    expect(first.records).toHaveLength(1);
    expect(first.error).toMatch(message);
    expect(decoder.push(good)).toEqual({ records: [], error: first.error });
  });
});
