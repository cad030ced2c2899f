import { describe, expect, it } from 'vitest';
import type { AttemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { decodeLogFrame, encodeLogFrame } from './log-frame.ts';

const ATTEMPT = '12.345.6' as AttemptId;

describe('a log frame', () => {
  it.each([
    ['1.0.1', 0, 0],
    ['999999999999999.999999999.999999999', Number.MAX_SAFE_INTEGER, 1],
    [ATTEMPT, 2 ** 33 + 7, LIMITS.logFrameBytes],
  ])('carries the log of %s at offset %d, %d bytes', (attempt, offset, length) => {
    const bytes = Buffer.alloc(length, 'payload');
    const frame = decodeLogFrame(encodeLogFrame(attempt as AttemptId, offset, bytes));
    if (typeof frame === 'string') throw new Error(frame);
    expect({ ...frame, bytes: 0 }).toEqual({ attempt, offset, bytes: 0 });
    expect(Buffer.compare(frame.bytes, bytes)).toBe(0);
  });

  it('keeps its layout', () => {
    expect(encodeLogFrame('1.0.1' as AttemptId, 258, Buffer.from([9])).toString('hex')).toBe('010005312e302e31000000000000010209');
  });

  it('does not encode what no frame can carry', () => {
    expect(() => encodeLogFrame(ATTEMPT, -1, Buffer.alloc(0))).toThrow('log offset -1');
    expect(() => encodeLogFrame(ATTEMPT, 0, Buffer.alloc(LIMITS.logFrameBytes + 1))).toThrow('at most');
  });

  it('is refused wherever it is cut, and never throws', () => {
    const whole = encodeLogFrame(ATTEMPT, 1, Buffer.alloc(0));
    for (let length = 0; length < whole.length; length++) expect(decodeLogFrame(whole.subarray(0, length))).toBeTypeOf('string');
    expect(decodeLogFrame(whole)).toBeTypeOf('object');
  });

  it.each([
    ['another version', (frame: Buffer) => frame.writeUInt8(2, 0), /version 2; expected 1/],
    ['a longer id than there is', (frame: Buffer) => frame.writeUInt16BE(0xffff, 1), /cut short/],
    ['an id that is none', (frame: Buffer) => frame.write('x', 3), /names no attempt/],
    ['an offset beyond all numbers', (frame: Buffer) => frame.writeUInt8(0xff, 3 + ATTEMPT.length), /out of range/],
  ])('is refused with %s', (_what, damage, error) => {
    const frame = encodeLogFrame(ATTEMPT, 1, Buffer.from('x'));
    damage(frame);
    expect(decodeLogFrame(frame)).toMatch(error);
  });

  it('is refused with more payload than allowed', () => {
    const frame = Buffer.concat([encodeLogFrame(ATTEMPT, 0, Buffer.alloc(LIMITS.logFrameBytes)), Buffer.from('x')]);
    expect(decodeLogFrame(frame)).toMatch(/at most/);
  });
});
