import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import type { FarmId } from '../../shared/ids.ts';
import { TRUST_LIMITS } from '../../shared/trust.ts';
import { createAdmissions } from './admissions.ts';
import type { DeviceIdentity } from './identity.ts';
import { answerPairing, confirmDigits, receiveReply, receiveReveal, startPairing } from './pairing.ts';
import { createPairings } from './pairings.ts';
import { handClock, makeIdentity, silent } from './trust.fixture.ts';

const FARM = 'a'.repeat(52) as FarmId;
const OTHER_FARM = 'b'.repeat(51).concat('a') as FarmId;
const nonce = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
let joiner: DeviceIdentity;
let coordinator: DeviceIdentity;
let attacker: DeviceIdentity;
beforeAll(async () => {
  [joiner, coordinator, attacker] = await Promise.all([makeIdentity(), makeIdentity(), makeIdentity()]);
});

function joinerStarts(answerer: DeviceIdentity, hex: string) {
  return startPairing({ name: 'new', certificate: joiner.certificate, coordinator: answerer.id, nonce: hex, nowMs: 0 });
}
function coordinatorAnswers(start: Parameters<typeof answerPairing>[0]['start'], hex: string) {
  return answerPairing({ start, coordinator: coordinator.id, farm: FARM, pairing: '0'.repeat(32), nonce: hex, nowMs: 0 });
}
function digitsOf(state: { phase: string; digits?: string }): string {
  expect(state.phase).toBe('comparing');
  return state.digits ?? '';
}

test('both sides of an undisturbed pairing show the same six digits', () => {
  fc.assert(
    fc.property(nonce, nonce, (one, two) => {
      const begun = joinerStarts(coordinator, one);
      const answered = coordinatorAnswers(begun.message, two);
      const compared = receiveReply(begun.state, answered.message, 1);
      if (compared.message === undefined) throw new Error('nothing to reveal');
      const digits = digitsOf(receiveReveal(answered.state, compared.message, 1));
      expect(digits).toMatch(/^\d{6}$/);
      expect(digitsOf(compared.state)).toBe(digits);
      expect(confirmDigits(compared.state, true, 2)).toMatchObject({ phase: 'agreed', farm: FARM, coordinator: coordinator.id });
      expect(confirmDigits(compared.state, false, 2)).toEqual({ phase: 'failed', reason: 'digits-differ' });
    }),
  );
});

/**
 * Somebody in between speaks to each side with a key of its own. It is bound to `towardsCoordinator` before it learns the
 * coordinator's nonce, and must choose `towardsJoiner` before it learns the joiner's.
 */
function areSameInBetween(nonces: readonly [string, string, string, string], farm: FarmId): boolean {
  const [joinerNonce, coordinatorNonce, towardsCoordinator, towardsJoiner] = nonces;
  const { certificate } = attacker;
  const posed = startPairing({ name: 'new', certificate, coordinator: coordinator.id, nonce: towardsCoordinator, nowMs: 0 });
  const answered = coordinatorAnswers(posed.message, coordinatorNonce);
  const atCoordinator = receiveReveal(answered.state, { pairing: '0'.repeat(32), nonce: towardsCoordinator }, 1);
  const reply = { pairing: '1'.repeat(32), farm, nonce: towardsJoiner };
  const atJoiner = receiveReply(joinerStarts(attacker, joinerNonce).state, reply, 1).state;
  return digitsOf(atCoordinator) === digitsOf(atJoiner);
}

test('somebody in between, with a key of its own on either side, makes the digits differ', () => {
  let same = 0;
  fc.assert(
    fc.property(fc.tuple(nonce, nonce, nonce, nonce), fc.constantFrom(FARM, OTHER_FARM), (nonces, farm) => {
      if (areSameInBetween(nonces, farm)) same += 1;
    }),
    { numRuns: 500 },
  );
  // One in a million each: twice in five hundred comes up in one of eight million runs of this test.
  expect(same).toBeLessThan(2);
});

test("somebody in between cannot pass the joiner's own messages on, whichever of them it replaces", () => {
  fc.assert(
    fc.property(nonce, nonce, nonce, fc.boolean(), fc.boolean(), (one, two, other, replacesCertificate, replacesNonce) => {
      // The joiner is connected to the attacker, so that is the key it binds itself to.
      const begun = joinerStarts(attacker, one);
      const start = replacesCertificate ? { ...begun.message, certificate: attacker.certificate } : begun.message;
      const answered = coordinatorAnswers(start, two);
      const reveal = { pairing: '0'.repeat(32), nonce: replacesNonce ? other : one };
      expect(receiveReveal(answered.state, reveal, 1)).toEqual({ phase: 'failed', reason: 'commitment' });
    }),
  );
});

test('digits are spread evenly: a chance of one in a million, and no better', () => {
  const seen = new Set<string>();
  const begun = joinerStarts(coordinator, '0'.repeat(64));
  const buckets = new Array<number>(10).fill(0);
  for (let count = 0; count < 5_000; count += 1) {
    const reply = { pairing: '0'.repeat(32), farm: FARM, nonce: count.toString(16).padStart(64, '0') };
    const digits = digitsOf(receiveReply(begun.state, reply, 1).state);
    seen.add(digits);
    buckets[Number(digits[0])] = (buckets[Number(digits[0])] ?? 0) + 1;
  }
  // The same inputs each time, so this cannot fail by chance: 5,000 draws of a million repeat about twelve times.
  expect(seen.size).toBeGreaterThan(4_970);
  expect(Math.min(...buckets)).toBeGreaterThan(400);
});

test('a joiner cannot choose its nonce after it has seen the other', () => {
  const begun = joinerStarts(coordinator, '1'.repeat(64));
  const answered = coordinatorAnswers(begun.message, '2'.repeat(64));
  const reveal = { pairing: '0'.repeat(32), nonce: '3'.repeat(64) };
  expect(receiveReveal(answered.state, reveal, 1)).toEqual({ phase: 'failed', reason: 'commitment' });
  // Nor bring another key to the same commitment.
  const swapped = coordinatorAnswers({ ...begun.message, certificate: attacker.certificate }, '2'.repeat(64));
  expect(receiveReveal(swapped.state, { ...reveal, nonce: '1'.repeat(64) }, 1)).toEqual({ phase: 'failed', reason: 'commitment' });
});

test('messages out of order, of another pairing, or late end it', () => {
  const begun = joinerStarts(coordinator, '1'.repeat(64));
  const answered = coordinatorAnswers(begun.message, '2'.repeat(64));
  const compared = receiveReply(begun.state, answered.message, 1);
  const reveal = compared.message ?? { pairing: '', nonce: '' };
  const late = TRUST_LIMITS.pairingMs;
  expect(receiveReply(compared.state, answered.message, 1).state).toMatchObject({ reason: 'out-of-order' });
  expect(receiveReply(begun.state, answered.message, late).state).toMatchObject({ reason: 'expired' });
  expect(receiveReveal(answered.state, { ...reveal, pairing: 'f'.repeat(32) }, 1)).toMatchObject({ reason: 'out-of-order' });
  expect(receiveReveal(answered.state, reveal, late)).toMatchObject({ reason: 'expired' });
  expect(receiveReveal(receiveReveal(answered.state, reveal, 1), reveal, 1)).toMatchObject({ reason: 'out-of-order' });
  expect(confirmDigits(begun.state, true, 1)).toMatchObject({ reason: 'out-of-order' });
  expect(confirmDigits(compared.state, true, late)).toMatchObject({ reason: 'expired' });
});

function book() {
  const clock = handClock();
  const admissions = createAdmissions({ clock });
  const refusals: unknown[] = [];
  const audit = { record: (...entry: unknown[]) => void (entry[0] === 'pairing-refused' && refusals.push(entry)) };
  const pairings = createPairings({ clock, coordinator: coordinator.id, farm: FARM, admissions, logger: silent, audit });
  return { clock, admissions, pairings, refusals };
}

test('a device that shows its digits waits for the administrator until the pairing expires', () => {
  const { clock, admissions, pairings } = book();
  const begun = joinerStarts(coordinator, '1'.repeat(64));
  const compared = receiveReply(begun.state, pairings.start(begun.message, '10.0.0.1'), 1);
  if (compared.message === undefined) throw new Error('nothing to reveal');
  const admission = pairings.reveal(compared.message, '10.0.0.1');
  expect(admission).toMatchObject({ device: joiner.id, digits: digitsOf(compared.state), state: 'waiting', via: 'digits' });
  expect(admissions.waiting()).toEqual([admission]);
  clock.elapsed += TRUST_LIMITS.pairingMs;
  expect(() => admissions.approve(admission.id)).toThrow('not waiting');
});

test('one wrong nonce ends a pairing, so it cannot be guessed at', () => {
  const { pairings, refusals } = book();
  const { pairing } = pairings.start(joinerStarts(coordinator, '1'.repeat(64)).message, '10.0.0.1');
  expect(() => pairings.reveal({ pairing, nonce: '2'.repeat(64) }, '10.0.0.1')).toThrow('commitment');
  expect(() => pairings.reveal({ pairing, nonce: '1'.repeat(64) }, '10.0.0.1')).toThrow('expired');
  expect(refusals).toHaveLength(2);
});

test('who tries the digits again and again is stopped and written down', () => {
  const { clock, pairings, refusals } = book();
  const attempt = (from: string) => () => pairings.start(joinerStarts(coordinator, '1'.repeat(64)).message, from);
  for (let count = 0; count < TRUST_LIMITS.openPairings; count += 1) attempt('10.0.0.1')();
  expect(attempt('10.0.0.1')).toThrow('being paired');
  expect(attempt('10.0.0.1')).toThrow('Too many tries');
  for (let host = 2; host < 17; host += 1) {
    clock.elapsed += TRUST_LIMITS.pairingMs / 8;
    try {
      attempt(`10.0.0.${host}`)();
    } catch {}
  }
  expect(attempt('10.0.0.99')).toThrow('Too many tries');
  expect(refusals.length).toBeGreaterThan(2);
  expect(refusals).toContainEqual(['pairing-refused', '10.0.0.1', { detail: 'too many tries' }]);
});
