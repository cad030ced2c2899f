import { z } from 'zod';
import type { Announcement } from '../ports/discovery.ts';
import { fromTxt } from './announcement.ts';

/** Multicast DNS packets, as the library decodes them and anyone on the network sends them. */

export const SERVICE_TYPE = 'lanyard';
/** What is asked for, and what every service of ours stands under. */
export const SERVICE_NAME = `_${SERVICE_TYPE}._tcp.local`;

export interface Heard {
  readonly announced: readonly { readonly label: string; readonly announcement: Announcement; readonly ttlMs: number }[];
  /** Labels of services that were taken back. */
  readonly goodbyes: readonly string[];
}

/** Records of one packet and services in it that are looked at; our own packets have a few and one. */
const MAX_RECORDS = 256;
const MAX_SERVICES = 8;

const name = z.string().max(1_024);
const ttl = z.number().int().min(0).max(0xff_ff_ff_ff);
const pointerSchema = z.object({ type: z.literal('PTR'), name, ttl, data: name });
const textSchema = z.object({ type: z.literal('TXT'), name, ttl, data: z.array(z.instanceof(Uint8Array)) });
const addressOfServiceSchema = z.object({ type: z.literal('SRV'), name, ttl });
const packetSchema = z.object({ answers: z.array(z.unknown()), additionals: z.array(z.unknown()) });
const querySchema = z.object({ questions: z.array(z.object({ type: z.string(), name })) });

/** @returns what a response says of our kind of service; nothing for anything else, and for nonsense */
export function readResponse(packet: unknown): Heard {
  const parsed = packetSchema.safeParse(packet);
  if (!parsed.success) return { announced: [], goodbyes: [] };
  const records = [...parsed.data.answers, ...parsed.data.additionals].slice(0, MAX_RECORDS);
  const pointers = ofShape(records, pointerSchema).filter((one) => isOurs(one.name));
  const announced: Heard['announced'][number][] = [];
  const goodbyes: string[] = [];
  for (const pointer of pointers.slice(0, MAX_SERVICES)) {
    const label = labelOf(pointer.data);
    if (label === undefined) continue;
    if (pointer.ttl === 0) {
      goodbyes.push(label);
      continue;
    }
    const service = readService(records, pointer.data);
    if (service !== undefined) announced.push({ label, ...service, ttlMs: Math.min(pointer.ttl * 1_000, service.ttlMs) });
  }
  return { announced, goodbyes };
}

/** @returns whether a query asks the question that we ask */
export function asksForUs(packet: unknown): boolean {
  const parsed = querySchema.safeParse(packet);
  return parsed.success && parsed.data.questions.some((one) => one.type === 'PTR' && isOurs(one.name));
}

function readService(records: readonly unknown[], fullName: string): { announcement: Announcement; ttlMs: number } | undefined {
  const text = ofShape(records, textSchema).find((one) => sameName(one.name, fullName));
  const server = ofShape(records, addressOfServiceSchema).find((one) => sameName(one.name, fullName));
  const announcement = text && fromTxt(text.data);
  if (text === undefined || server === undefined || announcement === undefined) return undefined;
  return { announcement, ttlMs: Math.min(text.ttl, server.ttl) * 1_000 };
}

function ofShape<T>(records: readonly unknown[], schema: z.ZodType<T>): T[] {
  return records.flatMap((record) => {
    const parsed = schema.safeParse(record);
    return parsed.success ? [parsed.data] : [];
  });
}

/** Domain names are compared without regard to case (RFC 1035, section 2.3.3). */
const sameName = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();
const isOurs = (domainName: string): boolean => sameName(domainName, SERVICE_NAME);

function labelOf(fullName: string): string | undefined {
  const suffix = `.${SERVICE_NAME}`;
  return fullName.length > suffix.length && fullName.toLowerCase().endsWith(suffix) ? fullName.slice(0, -suffix.length) : undefined;
}
