import { createHash, timingSafeEqual } from 'node:crypto';
import type { FarmId, NodeId } from '../../shared/ids.ts';
import { type PairReply, type PairReveal, type PairStart, TRUST_LIMITS } from '../../shared/trust.ts';
import { nodeIdOf, readDeviceCertificate } from './certificate.ts';

/**
 * Pairing by comparing six digits, after the numeric comparison of Bluetooth (Core Specification, volume 2, part H, 7.2).
 *
 *     joiner -> coordinator   start    certificate, and a commitment to a nonce and both keys
 *     coordinator -> joiner   reply    its own nonce
 *     joiner -> coordinator   reveal   the nonce; the coordinator checks it against the commitment
 *
 * Both show six digits made from both keys, both nonces and the farm. Who sits in between must use a key of its own on
 * either side, and has fixed what goes into the digits of one side before it learns the nonce of the other: the digits
 * are then the same with a chance of one in a million, whatever it tries.
 *
 * Both people must compare: the administrator approves the device, and the joiner's user confirms the farm. A joiner that
 * skipped it would work for whoever answered.
 */
export type JoinerPairing =
  | {
      readonly phase: 'started';
      readonly device: NodeId;
      readonly coordinator: NodeId;
      readonly nonce: string;
      readonly deadlineMs: number;
    }
  | {
      readonly phase: 'comparing';
      readonly pairing: string;
      readonly digits: string;
      readonly farm: FarmId;
      readonly coordinator: NodeId;
      readonly deadlineMs: number;
    }
  | { readonly phase: 'agreed'; readonly pairing: string; readonly farm: FarmId; readonly coordinator: NodeId }
  | PairingFailed;

export type CoordinatorPairing =
  | {
      readonly phase: 'answered';
      readonly pairing: string;
      readonly name: string;
      readonly certificate: string;
      readonly device: NodeId;
      readonly coordinator: NodeId;
      readonly farm: FarmId;
      readonly commitment: string;
      readonly nonce: string;
      readonly deadlineMs: number;
    }
  | {
      readonly phase: 'comparing';
      readonly pairing: string;
      readonly name: string;
      readonly certificate: string;
      readonly device: NodeId;
      readonly digits: string;
      readonly deadlineMs: number;
    }
  | PairingFailed;

export interface PairingFailed {
  readonly phase: 'failed';
  readonly reason: 'expired' | 'commitment' | 'out-of-order' | 'digits-differ';
}

/**
 * The joiner begins.
 * @param coordinator fingerprint of the key that the connection showed
 * @param nonce 32 random bytes, hexadecimal, never used before
 * @param nowMs by the steady clock
 */
export function startPairing(options: {
  readonly name: string;
  readonly certificate: string;
  readonly coordinator: NodeId;
  readonly nonce: string;
  readonly nowMs: number;
}): { readonly state: JoinerPairing; readonly message: PairStart } {
  const { name, certificate, coordinator, nonce, nowMs } = options;
  const device = nodeIdOf(certificate);
  return {
    state: { phase: 'started', device, coordinator, nonce, deadlineMs: nowMs + TRUST_LIMITS.pairingMs },
    message: { name, certificate, commitment: commitmentOf(device, coordinator, nonce) },
  };
}

/**
 * The coordinator answers.
 * @param coordinator fingerprint of its own key
 * @param pairing 16 random bytes, hexadecimal: names this pairing
 * @throws LanyardError INVALID for a certificate that is none
 */
export function answerPairing(options: {
  readonly start: PairStart;
  readonly coordinator: NodeId;
  readonly farm: FarmId;
  readonly pairing: string;
  readonly nonce: string;
  readonly nowMs: number;
}): { readonly state: CoordinatorPairing; readonly message: PairReply } {
  const { start, coordinator, farm, pairing, nonce, nowMs } = options;
  const { name, certificate, commitment } = start;
  const device = readDeviceCertificate(certificate).id;
  const deadlineMs = nowMs + TRUST_LIMITS.pairingMs;
  return {
    state: { phase: 'answered', pairing, name, certificate, device, coordinator, farm, commitment, nonce, deadlineMs },
    message: { pairing, farm, nonce },
  };
}

/** The joiner has the coordinator's nonce, so it may show its own. */
export function receiveReply(
  state: JoinerPairing,
  reply: PairReply,
  nowMs: number,
): { readonly state: JoinerPairing; readonly message?: PairReveal } {
  if (state.phase !== 'started') return { state: failed('out-of-order') };
  if (nowMs >= state.deadlineMs) return { state: failed('expired') };
  const { device, coordinator, nonce, deadlineMs } = state;
  const { pairing, farm } = reply;
  const digits = digitsOf({ farm, device, coordinator, deviceNonce: nonce, coordinatorNonce: reply.nonce });
  return { state: { phase: 'comparing', pairing, digits, farm, coordinator, deadlineMs }, message: { pairing, nonce } };
}

/** The coordinator checks that the joiner shows what it had bound itself to. */
export function receiveReveal(state: CoordinatorPairing, reveal: PairReveal, nowMs: number): CoordinatorPairing {
  if (state.phase !== 'answered' || reveal.pairing !== state.pairing) return failed('out-of-order');
  if (nowMs >= state.deadlineMs) return failed('expired');
  const { pairing, name, certificate, device, coordinator, farm, commitment, nonce, deadlineMs } = state;
  if (!isSame(commitmentOf(device, coordinator, reveal.nonce), commitment)) return failed('commitment');
  const digits = digitsOf({ farm, device, coordinator, deviceNonce: reveal.nonce, coordinatorNonce: nonce });
  return { phase: 'comparing', pairing, name, certificate, device, digits, deadlineMs };
}

/** The joiner's user has looked at both screens. Only after `agreed` may the joiner take a roster. */
export function confirmDigits(state: JoinerPairing, areSame: boolean, nowMs: number): JoinerPairing {
  if (state.phase !== 'comparing') return failed('out-of-order');
  if (nowMs >= state.deadlineMs) return failed('expired');
  if (!areSame) return failed('digits-differ');
  return { phase: 'agreed', pairing: state.pairing, farm: state.farm, coordinator: state.coordinator };
}

function failed(reason: PairingFailed['reason']): PairingFailed {
  return { phase: 'failed', reason };
}

/** Each part has a fixed length, so no two different lists of parts read the same. */
function commitmentOf(device: NodeId, coordinator: NodeId, nonce: string): string {
  return createHash('sha256').update(`lanyard pairing commitment 1\n${device}${coordinator}${nonce}`).digest('hex');
}

function digitsOf(parts: {
  readonly farm: FarmId;
  readonly device: NodeId;
  readonly coordinator: NodeId;
  readonly deviceNonce: string;
  readonly coordinatorNonce: string;
}): string {
  const { farm, device, coordinator, deviceNonce, coordinatorNonce } = parts;
  const hash = createHash('sha256')
    .update(`lanyard pairing digits 1\n${farm}${device}${coordinator}${deviceNonce}${coordinatorNonce}`)
    .digest();
  return (hash.readBigUInt64BE() % 1_000_000n).toString().padStart(6, '0');
}

function isSame(left: string, right: string): boolean {
  return left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right));
}
