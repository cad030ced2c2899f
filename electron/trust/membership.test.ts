import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { NodeId } from '../../shared/ids.ts';
import { type AuditEvent, type JoinAnswer, TRUST_LIMITS } from '../../shared/trust.ts';
import { createManualClock } from '../../tests/fakes/clock.ts';
import type { Identity } from '../ports/trust.ts';
import { openAudit } from './audit.ts';
import { parseConnectionString } from './connection-string.ts';
import { findDevice, verifyFirst } from './farm.ts';
import type { DeviceIdentity } from './identity.ts';
import { parseInvite } from './invite-text.ts';
import { createMembership } from './membership.ts';
import { receiveReply, startPairing } from './pairing.ts';
import { openRoster } from './roster.ts';
import { openTokens } from './tokens.ts';
import { farmOf, makeIdentity, silent, temporaryFolder } from './trust.fixture.ts';

/** Membership on real files: roster, tokens and audit log. */

const ADMIN: Identity = { subject: 'ana', roles: ['admin'] };
const FROM = '10.0.0.9';
let coordinator: DeviceIdentity;
let laptop: DeviceIdentity;
let tower: DeviceIdentity;
beforeAll(async () => {
  [coordinator, laptop, tower] = await Promise.all([makeIdentity(), makeIdentity(), makeIdentity()]);
});

async function makeFarm(addresses: readonly string[] = ['10.0.0.7:7421']) {
  const folder = await temporaryFolder();
  const clock = createManualClock({ wallMs: Date.UTC(2026, 0, 1) });
  const roster = await openRoster(join(folder, 'roster.json'));
  await roster.start([farmOf(coordinator)]);
  const tokens = await openTokens(join(folder, 'tokens.json'), clock.wallMs);
  const audit = await openAudit({ folder, wallMs: clock.wallMs, logger: silent });
  onTestFinished(() => audit.close());
  const membership = createMembership({
    identity: coordinator,
    roster,
    tokens,
    audit,
    clock,
    logger: silent,
    addresses: () => addresses,
    peerPort: () => 7422,
  });
  const events = async (): Promise<AuditEvent[]> => {
    await audit.flush();
    return (await membership.audit({ limit: 100 })).map(({ event }) => event).reverse();
  };
  const secretOf = (isApproved: boolean, role: 'worker' | 'admin' = 'worker') =>
    parseInvite(membership.invite({ role, isApproved }, ADMIN).text).secret;
  const asks = (device: DeviceIdentity, secret: string, name = 'laptop') =>
    membership.join({ secret, name, certificate: device.certificate }, FROM);
  return { membership, roster, tokens, clock, events, secretOf, asks };
}

const waitingOf = (answer: JoinAnswer): string => (answer.state === 'waiting' ? answer.admission : `it is ${answer.state}`);

describe('an invite', () => {
  test('approved in advance lets one device in, with the role in it, and what it gets proves the farm', async () => {
    const { membership, roster, secretOf, asks, events } = await makeFarm();
    const secret = secretOf(true, 'admin');
    const answer = await asks(laptop, secret);
    if (answer.state !== 'approved') throw new Error(answer.state);
    expect(answer.peerPort).toBe(7422);
    const [last] = answer.chain.slice(-1);
    if (last === undefined) throw new Error('no roster');
    const expected = { farm: membership.roster.farm.id, coordinator: coordinator.id, device: laptop.id };
    expect(findDevice(verifyFirst(last, expected), laptop.id)).toMatchObject({ name: 'laptop', roles: ['admin'], addedBy: coordinator.id });
    await expect(asks(tower, secret)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(roster.current?.devices).toHaveLength(2);
    expect(await events()).toEqual(['invite-created', 'invite-used', 'device-joined', 'invite-refused']);
  });

  test('that two devices bring at the same moment lets one in', async () => {
    const { roster, secretOf, asks } = await makeFarm();
    const secret = secretOf(true);
    const answers = await Promise.allSettled([asks(laptop, secret), asks(tower, secret)]);
    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(roster.current?.devices).toHaveLength(2);
  });

  test('is not used up by a request that cannot succeed', async () => {
    const { membership, secretOf, asks } = await makeFarm();
    const secret = secretOf(true);
    await expect(membership.join({ secret, name: 'x', certificate: 'none' }, FROM)).rejects.toMatchObject({ code: 'INVALID' });
    expect(await asks(laptop, secret)).toMatchObject({ state: 'approved' });
  });

  test('is over after ten minutes, and once it is taken back', async () => {
    const { membership, clock, secretOf, asks } = await makeFarm();
    const late = secretOf(true);
    clock.advance(TRUST_LIMITS.inviteMs);
    await expect(asks(laptop, late)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const taken = secretOf(true);
    membership.revokeInvite(membership.invites()[0]?.id ?? '', ADMIN);
    await expect(asks(laptop, taken)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(() => membership.revokeInvite('00000000', ADMIN)).toThrow(/No invite/);
  });

  test('that would lead nowhere is not made', async () => {
    const { membership } = await makeFarm([]);
    expect(() => membership.invite({ role: 'worker', isApproved: true }, ADMIN)).toThrow(/No other machine/);
  });
});

describe('a device that waits', () => {
  test('is in when an administrator says so, in the role that they say, once', async () => {
    const { membership, roster, secretOf, asks, events } = await makeFarm();
    const admission = waitingOf(await asks(laptop, secretOf(false)));
    const [waiting] = membership.admissions();
    expect(waiting).toMatchObject({ id: admission, device: laptop.id, via: 'invite', digits: null, from: FROM });
    expect(findDevice(membership.roster, laptop.id)).toBeUndefined();
    await membership.approve(admission, 'viewer', ADMIN);
    expect(membership.joinState(admission)).toMatchObject({ state: 'approved', chain: roster.since(0) });
    expect(findDevice(membership.roster, laptop.id)?.roles).toEqual(['viewer']);
    await expect(membership.approve(admission, undefined, ADMIN)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(membership.admissions()).toEqual([]);
    expect(await events()).toEqual(['invite-created', 'invite-used', 'device-joined', 'device-approved']);
  });

  test('hears that it was turned away, and is forgotten when nobody answers', async () => {
    const { membership, clock, secretOf, asks, events } = await makeFarm();
    const refused = waitingOf(await asks(laptop, secretOf(false)));
    membership.refuse(refused, ADMIN);
    expect(membership.joinState(refused)).toEqual({ state: 'refused' });
    const forgotten = waitingOf(await asks(tower, secretOf(false)));
    clock.advance(TRUST_LIMITS.admissionMs);
    expect(() => membership.joinState(forgotten)).toThrow(/not waiting any more/);
    expect(() => membership.joinState('0'.repeat(32))).toThrow(/not waiting any more/);
    await expect(membership.approve(forgotten, undefined, ADMIN)).rejects.toMatchObject({ code: 'GONE' });
    expect(membership.roster.devices).toHaveLength(1);
    expect(await events()).toContain('device-refused');
  });

  test('that belongs to the farm already, and lost its copy of the roster, keeps its place and roles', async () => {
    const { membership, secretOf, asks } = await makeFarm();
    await asks(laptop, secretOf(true));
    await membership.changeRoles(laptop.id, ['viewer', 'submitter'], ADMIN);
    expect(await asks(laptop, secretOf(true, 'admin'))).toMatchObject({ state: 'approved' });
    expect(membership.roster.devices).toHaveLength(2);
    expect(findDevice(membership.roster, laptop.id)?.roles).toEqual(['viewer', 'submitter']);
  });
});

test('pairing shows the administrator the digits that the device shows, and too late is too late', async () => {
  const { membership, clock, events } = await makeFarm();
  const pair = () => {
    const begun = startPairing({
      name: 'laptop',
      certificate: laptop.certificate,
      coordinator: coordinator.id,
      nonce: 'a'.repeat(64),
      nowMs: 0,
    });
    const { state, message } = receiveReply(begun.state, membership.startPairing(begun.message, FROM), 1);
    if (state.phase !== 'comparing' || message === undefined) throw new Error(state.phase);
    return { digits: state.digits, message };
  };
  const { digits, message } = pair();
  const admission = waitingOf(membership.revealPairing(message, FROM));
  expect(membership.admissions()).toMatchObject([{ id: admission, device: laptop.id, digits, via: 'digits', invite: null }]);
  await membership.approve(admission, undefined, ADMIN);
  expect(findDevice(membership.roster, laptop.id)?.roles).toEqual(['worker']);
  const late = pair();
  clock.advance(TRUST_LIMITS.pairingMs);
  expect(() => membership.revealPairing(late.message, FROM)).toThrow(/expired/);
  expect(await events()).toContain('pairing-refused');
});

test('changes that are asked for at once are made one on top of the other', async () => {
  const { membership, secretOf, asks } = await makeFarm();
  const secrets = [secretOf(true), secretOf(true)];
  await Promise.all([
    asks(laptop, secrets[0] ?? ''),
    asks(tower, secrets[1] ?? ''),
    membership.changeRoles(coordinator.id, ['admin', 'viewer'], ADMIN),
  ]);
  expect(membership.roster).toMatchObject({ version: 4, devices: [{ roles: ['viewer', 'admin'] }, {}, {}] });
  await expect(membership.changeRoles('b'.repeat(52) as NodeId, ['viewer'], ADMIN)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  // One that failed does not keep the next from being made.
  await membership.removeDevice(tower.id, ADMIN);
  expect(membership.roster.version).toBe(5);
});

test('a device leaves by itself; a token cannot, and neither can the coordinator', async () => {
  const { membership, secretOf, asks, events } = await makeFarm();
  await asks(laptop, secretOf(true));
  await membership.leave({ subject: laptop.id, roles: ['worker'], device: laptop.id });
  expect(findDevice(membership.roster, laptop.id)).toBeUndefined();
  await expect(membership.leave(ADMIN)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(membership.leave({ subject: coordinator.id, roles: ['admin'], device: coordinator.id })).rejects.toMatchObject({
    code: 'CONFLICT',
  });
  await expect(membership.removeDevice(coordinator.id, ADMIN)).rejects.toMatchObject({ code: 'CONFLICT' });
  await expect(membership.changeRoles(coordinator.id, ['worker'], ADMIN)).rejects.toMatchObject({ code: 'CONFLICT' });
  expect((await events()).at(-1)).toBe('device-removed');
});

test('a token comes with strings that lead to this coordinator and no other', async () => {
  const { membership, tokens } = await makeFarm(['10.0.0.7:7421', '[fd00::7]:7421']);
  const { token, connections } = await membership.createToken({ name: 'ci', role: 'viewer', lifeMs: null }, ADMIN);
  expect(connections.map(parseConnectionString)).toEqual([
    { token, address: '10.0.0.7:7421', fingerprint: coordinator.id },
    { token, address: '[fd00::7]:7421', fingerprint: coordinator.id },
  ]);
  expect(tokens.authenticate(token)).toMatchObject({ roles: ['viewer'] });
  await membership.revokeToken(membership.tokens()[0]?.id ?? '', ADMIN);
  expect(tokens.authenticate(token)).toBeUndefined();
  await expect(membership.revokeToken('0'.repeat(12), ADMIN)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a flood of refusals does not push the rest out of the audit log', async () => {
  const { membership, clock, events } = await makeFarm();
  for (let count = 0; count < 100; count += 1) membership.recordRefusal(FROM, 'GET /api/jobs');
  expect(await events()).toHaveLength(5);
  for (let host = 0; host < 100; host += 1) membership.recordRefusal(`10.0.1.${host}`, 'GET /api/jobs');
  expect(await events()).toHaveLength(30);
  clock.advance(60_000);
  membership.recordRefusal(FROM, 'GET /api/jobs');
  expect(await events()).toHaveLength(31);
});
