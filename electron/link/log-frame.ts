import { type AttemptId, parseAttemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';

/**
 * A log frame, all numbers big-endian:
 *
 *     u8 version (1) | u16 length of the id | id, ASCII | u64 offset | payload to the end of the frame
 *
 * The payload is a stretch of the attempt's framed log (`LogRecord` in `shared/protocol.ts`) that begins at `offset`.
 * It may begin and end anywhere in a record: the receiver only appends.
 */
const VERSION = 1;
const ID_AT = 3;
const OFFSET_BYTES = 8;
/** The longest attempt id: 15, 9 and 9 digits with two dots. */
const LONGEST_ID = 35;

export interface LogFrame {
  readonly attempt: AttemptId;
  /** Where the payload begins in the attempt's framed log, in bytes. */
  readonly offset: number;
  /** A view into the frame, not a copy. */
  readonly bytes: Uint8Array;
}

/** What a frame has at most besides its payload, in bytes. */
export const LOG_FRAME_OVERHEAD = ID_AT + LONGEST_ID + OFFSET_BYTES;

/**
 * @param memory gives the bytes that the frame is made of
 * @returns the whole frame, the payload copied into it. @throws Error on a payload or offset that no frame can carry
 */
export function encodeLogFrame(
  attempt: AttemptId,
  offset: number,
  bytes: Uint8Array,
  memory: (length: number) => Buffer = Buffer.allocUnsafe,
): Buffer {
  if (bytes.byteLength > LIMITS.logFrameBytes) throw new Error(`a log frame of ${bytes.byteLength} bytes; at most ${LIMITS.logFrameBytes}`);
  if (!Number.isSafeInteger(offset) || offset < 0) throw new Error(`log offset ${offset}`);
  const payloadAt = ID_AT + attempt.length + OFFSET_BYTES;
  const frame = memory(payloadAt + bytes.byteLength);
  frame.writeUInt8(VERSION, 0);
  frame.writeUInt16BE(attempt.length, 1);
  frame.write(attempt, ID_AT, 'latin1');
  frame.writeBigUInt64BE(BigInt(offset), ID_AT + attempt.length);
  frame.set(bytes, payloadAt);
  return frame;
}

/** @returns the parts of a binary frame, or a sentence that says what is wrong with it. Never throws. */
export function decodeLogFrame(frame: Buffer): LogFrame | string {
  if (frame.length < ID_AT) return `a binary frame of ${frame.length} bytes is no log frame`;
  const version = frame.readUInt8(0);
  if (version !== VERSION) return `log frame version ${version}; expected ${VERSION}`;
  const idLength = frame.readUInt16BE(1);
  const payloadAt = ID_AT + idLength + OFFSET_BYTES;
  if (idLength > LONGEST_ID || frame.length < payloadAt) return 'the log frame is cut short or its attempt id is too long';
  const attempt = frame.toString('latin1', ID_AT, ID_AT + idLength);
  if (parseAttemptId(attempt) === undefined) return 'the log frame names no attempt';
  const offset = Number(frame.readBigUInt64BE(ID_AT + idLength));
  if (!Number.isSafeInteger(offset)) return 'the offset of the log frame is out of range';
  const bytes = frame.subarray(payloadAt);
  if (bytes.length > LIMITS.logFrameBytes) return `a log frame of ${bytes.length} bytes; at most ${LIMITS.logFrameBytes} are allowed`;
  return { attempt: attempt as AttemptId, offset, bytes };
}
