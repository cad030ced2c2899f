import type { LogRecord } from '../../../shared/protocol.ts';
import { createLogDecoder } from '../log-records.ts';

export async function allBytes(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  // The place of a chunk is the next one's too.
  for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
  return Buffer.concat(parts);
}

/** @returns the records of framed bytes, which must be whole */
export function records(framed: Uint8Array): readonly LogRecord[] {
  const decoder = createLogDecoder();
  const { records: found, error } = decoder.push(framed);
  if (error !== null || decoder.wantedBytes > 0) throw new Error(error ?? 'the last record is cut');
  return found;
}

export function text(record: LogRecord | undefined): string {
  return Buffer.from(record?.bytes ?? []).toString();
}
