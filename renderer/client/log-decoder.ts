import { LOG_STREAMS, type LogRecord, type LogStream } from '../../shared/protocol.ts';

/** As the coordinator frames them: u8 stream and three zero bytes, u32 length, f64 time in ms; little-endian; then the bytes. */
const HEADER_BYTES = 16;
/** A header that announces more is corrupt. */
const RECORD_BYTES = 256 * 1024;
const STREAMS = new Map<number, LogStream>((Object.entries(LOG_STREAMS) as [LogStream, number][]).map(([name, number]) => [number, name]));

export interface LogDecoder {
  /** Takes the next bytes, cut anywhere, and gives the records that are complete. @throws a plain error for a damaged log */
  push(bytes: Uint8Array): LogRecord[];
  /** Bytes of complete records so far: where to go on after the connection broke. */
  readonly offset: number;
}

export function createLogDecoder(): LogDecoder {
  let rest = new Uint8Array(0);
  let offset = 0;
  return {
    get offset() {
      return offset;
    },
    push(bytes) {
      const all = rest.byteLength === 0 ? bytes : concatenate(rest, bytes);
      const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
      const records: LogRecord[] = [];
      let at = 0;
      while (all.byteLength - at >= HEADER_BYTES) {
        const stream = STREAMS.get(view.getUint32(at, true));
        const length = view.getUint32(at + 4, true);
        const time = view.getFloat64(at + 8, true);
        if (stream === undefined || length > RECORD_BYTES || !Number.isFinite(time)) throw new Error('The log is damaged.');
        if (all.byteLength - at - HEADER_BYTES < length) break;
        records.push({ stream, time, bytes: all.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length) });
        at += HEADER_BYTES + length;
      }
      offset += at;
      rest = all.slice(at);
      return records;
    },
  };
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(first.byteLength + second.byteLength);
  whole.set(first);
  whole.set(second, first.byteLength);
  return whole;
}
