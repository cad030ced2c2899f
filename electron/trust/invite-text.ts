import { createHash } from 'node:crypto';
import { invalid, LanyardError } from '../../shared/errors.ts';
import { type Invite, inviteSchema, ROLES, TRUST_LIMITS } from '../../shared/trust.ts';
import { decodeBase32, encodeBase32 } from './base32.ts';
import { groupedFingerprint } from './certificate.ts';

/**
 * Format of an invite: base32 of
 *
 *     1 byte   version, 1
 *     1 byte   role, its place in ROLES
 *     4 bytes  expiry, seconds since 1970, big-endian
 *     16       secret
 *     32       fingerprint of the coordinator's key
 *     32       fingerprint of the farm's key
 *     1        number of addresses, and each as 1 byte of length and that many of ASCII
 *     4        the first bytes of the SHA-256 of all before: against slips of the hand, not against forgers
 */
const VERSION = 1;
const HEAD_BYTES = 87;
const CHECKSUM_BYTES = 4;
const SCHEME = 'lanyard://join/';

/** @throws LanyardError INVALID for addresses that are none */
export function encodeInvite(invite: Invite): string {
  const checked = inviteSchema.safeParse(invite);
  if (!checked.success) throw invalid(checked.error, 'This invite');
  const { addresses, coordinator, farm, secret, role, expiresAt } = checked.data;
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(VERSION, 0);
  head.writeUInt8(ROLES.indexOf(role), 1);
  head.writeUInt32BE(Math.floor(expiresAt / 1000), 2);
  head.write(secret, 6, 'hex');
  head.set(fingerprintBytes(coordinator), 22);
  head.set(fingerprintBytes(farm), 54);
  head.writeUInt8(addresses.length, 86);
  const tail = addresses.flatMap((address) => [Buffer.from([address.length]), Buffer.from(address, 'latin1')]);
  const body = Buffer.concat([head, ...tail]);
  return groupedFingerprint(encodeBase32(Buffer.concat([body, checksum(body)])));
}

export function inviteLink(text: string): string {
  return SCHEME + text.replaceAll('-', '');
}

/**
 * Reads a link or the text, with whatever blanks, hyphens and capitals it met on its way.
 * @throws LanyardError INVALID, with what is wrong
 */
export function parseInvite(text: string): Invite {
  if (text.length > TRUST_LIMITS.inviteLength) throw refused('it is too long');
  const plain = text.toLowerCase().replace(/[\s-]+/g, '');
  const bytes = decodeBase32(plain.startsWith(SCHEME) ? plain.slice(SCHEME.length) : plain);
  if (bytes === undefined || bytes.length < HEAD_BYTES + CHECKSUM_BYTES) throw refused('it is not whole');
  const all = Buffer.from(bytes);
  const body = all.subarray(0, -CHECKSUM_BYTES);
  if (!checksum(body).equals(all.subarray(-CHECKSUM_BYTES))) throw refused('it was mistyped or cut');
  if (body.readUInt8(0) !== VERSION) throw refused(`it is of version ${body.readUInt8(0)}, and this program knows version ${VERSION}`);
  const parsed = inviteSchema.safeParse({
    addresses: addresses(body),
    coordinator: encodeBase32(body.subarray(22, 54)),
    farm: encodeBase32(body.subarray(54, 86)),
    secret: body.toString('hex', 6, 22),
    role: ROLES[body.readUInt8(1)],
    expiresAt: body.readUInt32BE(2) * 1000,
  });
  if (!parsed.success) throw invalid(parsed.error, 'This invite');
  return parsed.data;
}

function addresses(body: Buffer): string[] {
  const list: string[] = [];
  let offset = HEAD_BYTES;
  while (offset < body.length) {
    const end = offset + 1 + body.readUInt8(offset);
    if (end > body.length) throw refused('its addresses are cut');
    list.push(body.toString('latin1', offset + 1, end));
    offset = end;
  }
  if (list.length !== body.readUInt8(HEAD_BYTES - 1)) throw refused('its addresses are cut');
  return list;
}

function fingerprintBytes(fingerprint: string): Uint8Array {
  const bytes = decodeBase32(fingerprint);
  if (bytes?.length !== 32) throw new Error('not a fingerprint');
  return bytes;
}

function checksum(body: Buffer): Buffer {
  return createHash('sha256').update(body).digest().subarray(0, CHECKSUM_BYTES);
}

function refused(reason: string): LanyardError {
  return new LanyardError({
    code: 'INVALID',
    message: `This invite cannot be read: ${reason}.`,
    hint: 'Copy all of it, or ask for a new one.',
  });
}
