import { randomBytes } from 'node:crypto';
import { LanyardError } from '../../shared/errors.ts';
import type { FarmId, NodeId } from '../../shared/ids.ts';
import { type Admission, type PairReply, type PairReveal, type PairStart, TRUST_LIMITS } from '../../shared/trust.ts';
import type { Clock, Logger } from '../ports/system.ts';
import type { Admissions } from './admissions.ts';
import type { Audit } from './audit.ts';
import { answerPairing, type CoordinatorPairing, type PairingFailed, receiveReveal } from './pairing.ts';
import { createRateLimit } from './rate-limit.ts';

/** The coordinator's side of all pairings that are under way. */
export interface Pairings {
  /**
   * @param from network address of the joiner
   * @throws LanyardError TOO_MANY, or INVALID for a certificate that is none
   */
  start(message: PairStart, from: string): PairReply;
  /**
   * The digits are known: the device waits in `admissions`, under the pairing's name, until the pairing expires.
   * @throws LanyardError GONE when it expired or never was, FORBIDDEN when the joiner shows another nonce than it was bound to
   */
  reveal(message: PairReveal, from: string): Admission;
}

/** Every try is one chance in a million for an impostor, so tries are counted and not only failures. */
const TRIES = { windowMs: 10 * 60_000, perAddress: 5, inAll: 20 };

export function createPairings(options: {
  readonly clock: Pick<Clock, 'elapsedMs'>;
  readonly coordinator: NodeId;
  readonly farm: FarmId;
  readonly admissions: Admissions;
  readonly logger: Logger;
  readonly audit: Pick<Audit, 'record'>;
}): Pairings {
  const { clock, coordinator, farm, admissions, logger, audit } = options;
  const open = new Map<string, Extract<CoordinatorPairing, { phase: 'answered' }>>();
  const limit = createRateLimit({ clock, what: 'tries to pair', ...TRIES });

  const dropExpired = () => {
    for (const [id, { deadlineMs }] of open) if (clock.elapsedMs() >= deadlineMs) open.delete(id);
  };
  const refuse = (from: string, why: string, error: LanyardError): LanyardError => {
    logger.warn('a pairing was refused', { from, why });
    audit.record('pairing-refused', from, { detail: why });
    return error;
  };

  return {
    start(message, from) {
      dropExpired();
      try {
        limit.check(from);
      } catch (error) {
        throw refuse(from, 'too many tries', error as LanyardError);
      }
      limit.count(from);
      const comparing = admissions.waiting().filter(({ via }) => via === 'digits').length;
      if (open.size + comparing >= TRUST_LIMITS.openPairings)
        throw refuse(
          from,
          'too many at one time',
          new LanyardError({ code: 'TOO_MANY', message: 'Other devices are being paired.', hint: 'Try again in two minutes.' }),
        );
      const { state, message: reply } = answerPairing({
        start: message,
        coordinator,
        farm,
        pairing: randomBytes(16).toString('hex'),
        nonce: randomBytes(32).toString('hex'),
        nowMs: clock.elapsedMs(),
      });
      if (state.phase === 'answered') open.set(state.pairing, state);
      audit.record('pairing-started', from, { detail: message.name });
      return reply;
    },
    reveal(message, from) {
      dropExpired();
      const before = open.get(message.pairing);
      if (before === undefined) throw refuse(from, 'expired', failure('expired'));
      // One look at the nonce: a wrong one ends the pairing.
      open.delete(message.pairing);
      const state = receiveReveal(before, message, clock.elapsedMs());
      if (state.phase !== 'comparing') {
        const reason = state.phase === 'failed' ? state.reason : 'out-of-order';
        throw refuse(from, reason, failure(reason));
      }
      const { pairing, name, certificate, device, digits, deadlineMs } = state;
      return admissions.ask(
        { id: pairing, device, name, certificate, role: 'worker', via: 'digits', invite: null, digits, from },
        deadlineMs,
      );
    },
  };
}

function failure(reason: PairingFailed['reason']): LanyardError {
  return reason === 'expired'
    ? new LanyardError({ code: 'GONE', message: 'This pairing has expired.', hint: 'Start it again on the device that joins.' })
    : new LanyardError({ code: 'FORBIDDEN', message: `This pairing failed: ${reason}. Somebody may be listening in.` });
}
