import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type FarmId, isNodeId, type NodeId } from '../../shared/ids.ts';
import type { Announcement } from '../ports/discovery.ts';

/**
 * An announcement as the TXT record of DNS service discovery (RFC 6763, section 6): short keys, one `key=value` a
 * string, each at most 255 bytes. Everything read here was written by anyone on the network.
 */

/** Grows when old readers could misunderstand; a reader skips what it does not know. */
const FORMAT = '1';
const ROLE_LETTERS = { c: 'coordinator', w: 'worker' } as const;

/** Strings in one TXT record; one with more is not ours. */
const MAX_STRINGS = 32;
/** A string of a TXT record has one byte for its length. */
const MAX_STRING_BYTES = 255;
/** Names longer than this are cut when announced and refused when read, in bytes of UTF-8. */
const MAX_NAME_BYTES = 120;
/** A label of a domain name (RFC 1035, section 2.3.4), in bytes. */
const MAX_LABEL_BYTES = 63;

// Controls, marks that turn the direction of writing, lone surrogates, line separators: none has business in a name.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

const FARM_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const bytesOf = (text: string): number => Buffer.byteLength(text, 'utf8');
const isPrintable = (text: string): boolean => text.search(UNPRINTABLE) === -1;

const name = z
  .string()
  .min(1)
  .refine((text) => bytesOf(text) <= MAX_NAME_BYTES && isPrintable(text));
const port = z
  .string()
  .regex(/^[1-9]\d{0,4}$/)
  .transform(Number)
  .pipe(z.number().max(65_535))
  .optional();

const txtSchema = z.object({
  v: z.literal(FORMAT),
  f: z.string().regex(FARM_ID),
  fn: name,
  n: z.string().refine(isNodeId),
  nn: name,
  r: z.string().regex(/^c?w?$/),
  s: z.string().regex(/^[0-9A-Za-z.+-]{1,32}$/),
  a: port,
  p: port,
});

/** Cuts `text` to at most `maxBytes` of UTF-8, never within a character. */
function cut(text: string, maxBytes: number): string {
  let result = '';
  for (const character of text) {
    if (bytesOf(result) + bytesOf(character) > maxBytes) return result;
    result += character;
  }
  return result;
}

const printable = (text: string): string => cut(text.replace(UNPRINTABLE, ' ').trim(), MAX_NAME_BYTES).trim() || '-';

/** The TXT record's keys and values. Names are made printable and cut where they are too long. */
export function toTxt(announcement: Announcement): Readonly<Record<string, string>> {
  const { ports, roles } = announcement;
  return {
    v: FORMAT,
    f: announcement.farmId,
    fn: printable(announcement.farmName),
    n: announcement.nodeId,
    nn: printable(announcement.nodeName),
    r: Object.entries(ROLE_LETTERS)
      .filter(([, role]) => roles.includes(role))
      .map(([letter]) => letter)
      .join(''),
    s: announcement.version,
    ...(ports.api === null ? {} : { a: String(ports.api) }),
    ...(ports.peer === null ? {} : { p: String(ports.peer) }),
  };
}

/** @throws Error when others would refuse the announcement: that is a fault of this program */
export function assertSound(announcement: Announcement): void {
  const parsed = txtSchema.safeParse(toTxt(announcement));
  if (!parsed.success) throw new Error(`an announcement is not sound: ${parsed.error.issues[0]?.path.join('.')}`);
}

/** @returns what a TXT record announces, or undefined when it is not one of ours, or not a sound one. */
export function fromTxt(strings: readonly Uint8Array[]): Announcement | undefined {
  if (strings.length > MAX_STRINGS) return undefined;
  const values = new Map<string, string>();
  for (const bytes of strings) {
    if (bytes.length > MAX_STRING_BYTES) return undefined;
    const text = decodeUtf8(bytes);
    if (text === undefined) return undefined;
    const equals = text.indexOf('=');
    const key = equals === -1 ? text : text.slice(0, equals);
    // Of a key that appears twice the first counts (RFC 6763, section 6.4).
    if (equals > 0 && !values.has(key)) values.set(key, text.slice(equals + 1));
  }
  const parsed = txtSchema.safeParse(Object.fromEntries(values));
  if (!parsed.success) return undefined;
  const txt = parsed.data;
  return {
    farmId: txt.f as FarmId,
    farmName: txt.fn,
    nodeId: txt.n as NodeId,
    nodeName: txt.nn,
    roles: [...txt.r].map((letter) => ROLE_LETTERS[letter as keyof typeof ROLE_LETTERS]),
    version: txt.s,
    ports: { api: txt.a ?? null, peer: txt.p ?? null },
  };
}

const digest = (nodeId: NodeId): string => createHash('sha256').update(nodeId).digest('hex');

/**
 * The service's instance name: the node's name for people who browse with other tools, and a piece of its id's hash, so
 * that machines of one name do not collide and nobody has to give way. No dots: the library would split there.
 */
export function instanceLabel(announcement: Announcement): string {
  const suffix = ` (${digest(announcement.nodeId).slice(0, 8)})`;
  return cut(printable(announcement.nodeName).replaceAll('.', '-'), MAX_LABEL_BYTES - bytesOf(suffix)) + suffix;
}

/** A host name of our own: address records under the machine's own name would clash with those of its own responder. */
export function hostLabel(nodeId: NodeId): string {
  return `lanyard-${digest(nodeId).slice(0, 16)}.local`;
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
