import type { IncomingHttpHeaders } from 'node:http';
import { LanyardError } from '../../shared/errors.ts';
import type { BlobId } from '../../shared/ids.ts';
import type { Blobs } from '../ports/files.ts';
import type { RawAnswer } from './route-types.ts';

/** Bytes from `start` up to but not including `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The one range that a Range header asks for (RFC 9110, 14.1.2): `bytes=0-99`, `bytes=100-`, `bytes=-50`.
 * @returns undefined for the whole; `'refused'` for several ranges, other units, and ranges that begin beyond the end
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined | 'refused' {
  if (header === undefined) return undefined;
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  const first = match?.[1];
  const last = match?.[2];
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'refused';
  const range =
    first === ''
      ? { start: Math.max(0, size - Number(last)), end: size }
      : { start: Number(first), end: last === '' ? size : Math.min(size, Number(last) + 1) };
  return range.start < range.end ? range : 'refused';
}

/** The bytes of a blob as the request's headers ask for them: all, a range, or none when the caller has them already. */
export async function byteAnswer(
  blobs: Blobs,
  blob: BlobId,
  asked: IncomingHttpHeaders,
  headers: Readonly<Record<string, string>>,
): Promise<RawAnswer> {
  const size = await blobs.size(blob);
  if (size === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: `there is no blob ${blob}` });
  const etag = `"${blob}"`;
  const common = { ...headers, etag, 'accept-ranges': 'bytes' };
  if (asked['if-none-match'] === etag) return { status: 304, headers: { etag } };
  const differs = asked['if-range'] !== undefined && asked['if-range'] !== etag;
  const range = differs ? undefined : parseRange(asked.range, size);
  if (range === 'refused') {
    const value = { code: 'RANGE', message: `the range asked for is not one within ${size} bytes` };
    return {
      status: 416,
      headers: { 'content-type': 'application/json; charset=utf-8', 'content-range': `bytes */${size}` },
      body: JSON.stringify({ error: value }),
    };
  }
  if (range === undefined) return { headers: { ...common, 'content-length': size }, body: blobs.read(blob) };
  return {
    status: 206,
    headers: {
      ...common,
      'content-length': range.end - range.start,
      'content-range': `bytes ${range.start}-${range.end - 1}/${size}`,
    },
    body: blobs.read(blob, range),
  };
}
