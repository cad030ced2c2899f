import { LanyardError } from '../../shared/errors.ts';
import type { LogRecord, LogStream } from '../../shared/protocol.ts';
import { createLogDecoder } from '../files/log-records.ts';

export interface LogWish {
  /** Bytes of text to pass over, of the streams that are wanted. */
  readonly offset: number;
  /** All streams when undefined. */
  readonly stream?: LogStream | undefined;
}

/**
 * The records of a framed log, one by one, without the first `offset` bytes of their text.
 * @throws INTERNAL for a log that is damaged
 */
export async function* logRecords(framed: AsyncIterable<Uint8Array>, wish: LogWish): AsyncGenerator<LogRecord, void, undefined> {
  const decoder = createLogDecoder();
  let skip = wish.offset;
  for await (const chunk of framed) {
    const { records, error } = decoder.push(chunk);
    for (const record of records) {
      if (wish.stream !== undefined && record.stream !== wish.stream) continue;
      const skipped = Math.min(skip, record.bytes.byteLength);
      skip -= skipped;
      if (skipped < record.bytes.byteLength) yield { ...record, bytes: record.bytes.subarray(skipped) };
    }
    if (error !== null) throw new LanyardError({ code: 'INTERNAL', message: error });
  }
}

export async function* asText(records: AsyncIterable<LogRecord>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const record of records) yield record.bytes;
}

/**
 * One JSON object `{stream, time, text}` a record, each between `before` and `after`. A character that two records share stands whole
 * in the second; bytes that are no UTF-8 become U+FFFD.
 */
export async function* asJsonLines(records: AsyncIterable<LogRecord>, before = '', after = '\n'): AsyncGenerator<string, void, undefined> {
  const decoders = new Map<LogStream, InstanceType<typeof TextDecoder>>();
  for await (const { stream, time, bytes } of records) {
    const decoder = decoders.get(stream) ?? new TextDecoder();
    decoders.set(stream, decoder);
    const text = decoder.decode(bytes, { stream: true });
    if (text !== '') yield `${before}${JSON.stringify({ stream, time, text })}${after}`;
  }
}
