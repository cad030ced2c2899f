import { LOG_STREAMS, type LogRecord, type LogStream } from '../../shared/protocol.ts';

/**
 * A log is a sequence of framed records, the same on disk and on the wire. A record is a header and then its bytes;
 * the header is u8 stream (1 stdout, 2 stderr, 3 system), three zero bytes, u32 length of the bytes, f64 wall-clock
 * time in ms since 1970; all little-endian.
 */
export const LOG_HEADER_BYTES = 16;
/** Longest payload of one record; a header that announces more is corrupt. */
export const LOG_RECORD_BYTES = 256 * 1024;

const STREAM_NAMES = new Map<number, LogStream>(
  (Object.entries(LOG_STREAMS) as [LogStream, number][]).map(([name, number]) => [number, name]),
);

/**
 * Frames `bytes` as one record, or as several when they are more than `maxBytes`.
 * @returns the framed bytes; empty for no bytes
 */
export function encodeLog(stream: LogStream, timeMs: number, bytes: Uint8Array, maxBytes = LOG_RECORD_BYTES): Buffer {
  const framed = Buffer.allocUnsafe(framedBytes(bytes.byteLength, maxBytes));
  frameLog(framed, stream, timeMs, [bytes], maxBytes);
  return framed;
}

/** @returns how long `bytes` of output are once they are framed */
export function framedBytes(bytes: number, maxBytes: number): number {
  return bytes + Math.ceil(bytes / maxBytes) * LOG_HEADER_BYTES;
}

/**
 * Frames what `parts` say together into the first bytes of `target`.
 * @returns the records, one after the other in `target`, each of at most `maxBytes`
 */
export function frameLog(target: Buffer, stream: LogStream, timeMs: number, parts: readonly Uint8Array[], maxBytes: number): Buffer[] {
  const records: Buffer[] = [];
  let left = parts.reduce((sum, part) => sum + part.byteLength, 0);
  let begin = 0;
  /** Bytes that the record takes yet. */
  let room = 0;
  let at = 0;
  for (const part of parts) {
    for (let taken = 0; taken < part.byteLength; ) {
      if (room === 0) {
        room = Math.min(left, maxBytes);
        begin = at;
        target.writeUInt32LE(LOG_STREAMS[stream], at);
        target.writeUInt32LE(room, at + 4);
        target.writeDoubleLE(timeMs, at + 8);
        at += LOG_HEADER_BYTES;
      }
      const piece = part.subarray(taken, taken + room);
      target.set(piece, at);
      at += piece.byteLength;
      taken += piece.byteLength;
      left -= piece.byteLength;
      room -= piece.byteLength;
      if (room === 0) records.push(target.subarray(begin, at));
    }
  }
  return records;
}

/** Frames a line of the program's own, for the reader of the log. */
export function encodeSystemLine(timeMs: number, line: string): Buffer {
  return encodeLog('system', timeMs, Buffer.from(`${line}\n`));
}

export interface DecodedLog {
  /** Records that are complete; their bytes may be views into what was pushed. */
  readonly records: readonly LogRecord[];
  /** What is wrong with the next header; from then on nothing more is decoded. */
  readonly error: string | null;
}

export interface LogDecoder {
  /** Takes the next bytes of a log, cut anywhere. */
  push(bytes: Uint8Array): DecodedLog;
  /** Bytes still wanted for the header or the record that is under way; 0 between two records. */
  readonly wantedBytes: number;
}

/** Takes a log apart as it comes, holding at most one record. */
export function createLogDecoder(): LogDecoder {
  return new IncrementalDecoder();
}

interface Header {
  readonly stream: LogStream;
  readonly time: number;
  readonly length: number;
}

class IncrementalDecoder implements LogDecoder {
  readonly #headerBytes = Buffer.alloc(LOG_HEADER_BYTES);
  #headerHeld = 0;
  #header: Header | undefined;
  #payload: Buffer | undefined;
  #payloadHeld = 0;
  #error: string | null = null;

  get wantedBytes(): number {
    if (this.#header !== undefined) return this.#header.length - this.#payloadHeld;
    return this.#headerHeld === 0 ? 0 : LOG_HEADER_BYTES - this.#headerHeld;
  }

  push(bytes: Uint8Array): DecodedLog {
    const records: LogRecord[] = [];
    let at = 0;
    while (this.#error === null && at < bytes.byteLength) {
      at = this.#header === undefined ? this.#takeHeader(bytes, at) : this.#takePayload(this.#header, bytes, at);
      if (this.#header !== undefined && this.#payloadHeld === this.#header.length) records.push(this.#complete(this.#header));
    }
    return { records, error: this.#error };
  }

  #takeHeader(bytes: Uint8Array, at: number): number {
    const taken = Math.min(LOG_HEADER_BYTES - this.#headerHeld, bytes.byteLength - at);
    this.#headerBytes.set(bytes.subarray(at, at + taken), this.#headerHeld);
    this.#headerHeld += taken;
    if (this.#headerHeld < LOG_HEADER_BYTES) return at + taken;
    this.#headerHeld = 0;
    const header = readHeader(this.#headerBytes);
    if (typeof header === 'string') this.#error = header;
    else this.#header = header;
    return at + taken;
  }

  #takePayload(header: Header, bytes: Uint8Array, at: number): number {
    const taken = Math.min(header.length - this.#payloadHeld, bytes.byteLength - at);
    const part = bytes.subarray(at, at + taken);
    if (taken === header.length) {
      this.#payload = Buffer.from(part.buffer, part.byteOffset, taken);
    } else {
      this.#payload ??= Buffer.allocUnsafe(header.length);
      this.#payload.set(part, this.#payloadHeld);
    }
    this.#payloadHeld += taken;
    return at + taken;
  }

  #complete(header: Header): LogRecord {
    const record = { stream: header.stream, time: header.time, bytes: this.#payload ?? Buffer.alloc(0) };
    this.#header = undefined;
    this.#payload = undefined;
    this.#payloadHeld = 0;
    return record;
  }
}

function readHeader(bytes: Buffer): Header | string {
  const stream = STREAM_NAMES.get(bytes.readUInt32LE(0));
  if (stream === undefined) return 'The log is damaged: a record of an unknown stream.';
  const length = bytes.readUInt32LE(4);
  if (length > LOG_RECORD_BYTES) return `The log is damaged: a record of ${length} bytes.`;
  const time = bytes.readDoubleLE(8);
  if (!Number.isFinite(time)) return 'The log is damaged: a record without a time.';
  return { stream, time, length };
}
