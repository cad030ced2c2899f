import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FarmId, NodeId } from '../../shared/ids.ts';
import { type Invite, ROLES, TRUST_LIMITS } from '../../shared/trust.ts';
import { createAdmissions } from './admissions.ts';
import { decodeBase32, encodeBase32 } from './base32.ts';
import { encodeInvite, inviteLink, parseInvite } from './invite-text.ts';
import { createInvites } from './invites.ts';
import { createRateLimit, network } from './rate-limit.ts';
import { handClock } from './trust.fixture.ts';

const fingerprint = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(encodeBase32);
const address = fc.oneof(
  fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 })).map(([host, port]) => `${host}:${port}`),
  fc.constantFrom('render-01.local:7420', '[fd00::1]:7420'),
);
const anyInvite: fc.Arbitrary<Invite> = fc.record({
  addresses: fc.array(address, { minLength: 1, maxLength: TRUST_LIMITS.inviteAddresses }),
  coordinator: fingerprint.map((text) => text as NodeId),
  farm: fingerprint.map((text) => text as FarmId),
  secret: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  role: fc.constantFrom(...ROLES),
  expiresAt: fc.integer({ min: 0, max: 0xffff_ffff }).map((seconds) => seconds * 1000),
});
const OPTIONS = {
  addresses: ['192.168.1.5:7421'],
  farm: 'a'.repeat(52) as FarmId,
  coordinator: 'q'.repeat(51).concat('a') as NodeId,
  role: 'worker',
  isApproved: true,
  by: 'ada',
} as const;

test('base32 reads what it wrote, and one spelling only', () => {
  expect(encodeBase32(Buffer.from('foobar'))).toBe('mzxw6ytboi');
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void expect(decodeBase32(encodeBase32(bytes))).toEqual(bytes)));
  for (const text of ['a', 'ab', 'MZXW6', 'mzxw0', 'my=']) expect(decodeBase32(text)).toBeUndefined();
});

test('an invite survives the link and the text, however they were pasted', () => {
  fc.assert(
    fc.property(anyInvite, (invite) => {
      const text = encodeInvite(invite);
      expect(parseInvite(text)).toEqual(invite);
      expect(parseInvite(`  ${inviteLink(text).toUpperCase()}\n`)).toEqual(invite);
      expect(parseInvite(text.replaceAll('-', ' \n'))).toEqual(invite);
    }),
  );
});

test('a slip of the hand is noticed, and no text makes it throw anything else', () => {
  fc.assert(
    fc.property(anyInvite, fc.nat(), fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz234567'), (invite, at, letter) => {
      const text = encodeInvite(invite).replaceAll('-', '');
      const place = at % text.length;
      fc.pre(text[place] !== letter);
      expect(() => parseInvite(text.slice(0, place) + letter + text.slice(place + 1))).toThrow('cannot be read');
      expect(() => parseInvite(text.slice(0, place))).toThrow('cannot be read');
    }),
  );
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void expect(() => parseInvite(text)).toThrow('cannot be read')));
  expect(() => parseInvite('a'.repeat(1_000_000))).toThrow('too long');
  expect(() => encodeInvite({ ...parseInvite(createInvites({ clock: handClock() }).make(OPTIONS).text), addresses: ['no port'] })).toThrow(
    'HOST:PORT',
  );
});

test('an invite is good once, even when many bring it at the same moment', async () => {
  const invites = createInvites({ clock: handClock() });
  const { secret } = parseInvite(invites.make(OPTIONS).link);
  const tries = await Promise.allSettled(Array.from({ length: 8 }, async (_, host) => invites.redeem(secret, `10.0.0.${host}`)));
  expect(tries.filter(({ status }) => status === 'fulfilled')).toMatchObject([
    { value: { role: 'worker', isApproved: true, invitedBy: 'ada' } },
  ]);
  expect(() => invites.redeem(secret, '10.0.1.1')).toThrow('not open');
  expect(invites.list()).toEqual([]);
});

test('an invite ends after ten minutes of the steady clock, whatever the wall clock says', () => {
  const clock = handClock();
  const invites = createInvites({ clock });
  const early = invites.make(OPTIONS).invite.secret;
  const late = invites.make(OPTIONS).invite.secret;
  clock.elapsed += TRUST_LIMITS.inviteMs - 1;
  clock.wall += 1e12;
  expect(invites.redeem(early, 'a').role).toBe('worker');
  clock.elapsed += 1;
  clock.wall = 0;
  expect(() => invites.redeem(late, 'a')).toThrow('not open');
});

test('an invite can be taken back, and only so many are open', () => {
  const invites = createInvites({ clock: handClock() });
  const made = invites.make(OPTIONS);
  expect(invites.revoke(made.id)).toBe(true);
  expect(() => invites.redeem(made.invite.secret, 'a')).toThrow('not open');
  for (let count = 0; count < TRUST_LIMITS.openInvites; count += 1) invites.make(OPTIONS);
  expect(() => invites.make(OPTIONS)).toThrow('Too many');
});

test('who guesses is stopped, alone and in company, and a minute later let go', () => {
  const clock = handClock();
  const invites = createInvites({ clock });
  const { secret } = invites.make(OPTIONS).invite;
  const guess = (from: string) => () => invites.redeem('0'.repeat(32), from);
  for (let count = 0; count < 10; count += 1) expect(guess('10.0.0.1')).toThrow('not open');
  expect(guess('10.0.0.1')).toThrow('Too many');
  for (let count = 0; count < 90; count += 1) expect(guess(`10.0.1.${count}`)).toThrow('not open');
  expect(guess('10.0.9.9')).toThrow('Too many');
  clock.elapsed += 60_000;
  expect(invites.redeem(secret, '10.0.0.1').role).toBe('worker');
});

test('an address counts as its network', () => {
  expect(network('::ffff:10.0.0.1')).toBe('10.0.0.1');
  expect(network('2001:db8:0:7::1')).toBe(network('2001:db8:0:7:ffff::2%eth0'));
  expect(network('2001:db8::1')).not.toBe(network('2001:db8:0:1::1'));
  const clock = handClock();
  const limit = createRateLimit({ clock, what: 'tries', windowMs: 10, perAddress: 1, inAll: 2 });
  limit.count('fe80::1%eth0');
  expect(() => limit.check('fe80::2%eth1')).toThrow('Too many tries');
});

test('a device waits until an administrator decides, once, in time', () => {
  const clock = handClock();
  const admissions = createAdmissions({ clock });
  const request = {
    device: OPTIONS.coordinator,
    name: 'b',
    certificate: '',
    role: 'worker',
    via: 'invite',
    invite: null,
    digits: null,
    from: 'x',
  } as const;
  const replaced = admissions.ask(request);
  const asked = admissions.ask(request);
  expect(() => admissions.get(replaced.id)).toThrow('not waiting');
  expect(admissions.waiting()).toEqual([asked]);
  expect(admissions.approve(asked.id, 'viewer')).toMatchObject({ state: 'approved', role: 'viewer' });
  expect(() => admissions.refuse(asked.id)).toThrow('approved already');
  expect(admissions.get(asked.id).state).toBe('approved');
  const slow = admissions.ask(request);
  clock.elapsed += TRUST_LIMITS.admissionMs;
  expect(() => admissions.approve(slow.id)).toThrow('not waiting');
  for (let count = 0; count < TRUST_LIMITS.admissions; count += 1) admissions.ask({ ...request, device: `d${count}` as NodeId });
  expect(() => admissions.ask(request)).toThrow('Too many');
});
