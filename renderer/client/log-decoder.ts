import { LOG_STREAMS, type LogRecord, type LogStream } from '../../shared/protocol.ts';

/** As the coordinator frames them: u8 stream and three zero bytes, u32 length, f64 time in ms; little-endian; then the bytes. */
const HEADER_BYTES = 16;
/** A header that announces more is corrupt. */
const RECORD_BYTES = 256 * 1024;
const STREAMS = new Map<number, LogStream>((Object.entries(LOG_STREAMS) as [LogStream, number][]).map(([name, number]) => [number, name]));

export interface LogDecoder {
  /**
   * Takes the next bytes, cut anywhere, and gives what is there of their records: one that is cut comes in pieces, so that nothing has to be
   * copied or waited for. @throws a plain error for a damaged log
   */
  push(bytes: Uint8Array): LogRecord[];
  /** Bytes taken so far: where to go on, with this decoder, after the connection broke. */
  readonly offset: number;
}

export function createLogDecoder(): LogDecoder {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  let headerBytes = 0;
  let stream: LogStream = 'stdout';
  let time = 0;
  /** Bytes of the current record that are still to come. */
  let remaining = 0;
  let offset = 0;
  return {
    get offset() {
      return offset;
    },
    push(bytes) {
      const records: LogRecord[] = [];
      let at = 0;
      while (at < bytes.byteLength) {
        if (remaining > 0) {
          const end = Math.min(bytes.byteLength, at + remaining);
          records.push({ stream, time, bytes: bytes.subarray(at, end) });
          remaining -= end - at;
          at = end;
          continue;
        }
        header.setUint8(headerBytes++, bytes[at++] as number);
        if (headerBytes < HEADER_BYTES) continue;
        headerBytes = 0;
        [stream, remaining, time] = readHeader(header);
      }
      offset += at;
      return records;
    },
  };
}

function readHeader(header: DataView): [LogStream, number, number] {
  const stream = STREAMS.get(header.getUint32(0, true));
  const length = header.getUint32(4, true);
  const time = header.getFloat64(8, true);
  if (stream === undefined || length > RECORD_BYTES || !Number.isFinite(time)) throw new Error('The log is damaged.');
  return [stream, length, time];
}
