import { randomBytes } from 'node:crypto';
import { LanyardError } from '../../shared/errors.ts';
import { type Admission, type Role, TRUST_LIMITS } from '../../shared/trust.ts';
import type { Clock, Dispose } from '../ports/system.ts';

/** Devices that wait until an administrator lets them in. In memory: after a restart they ask again. */
export interface Admissions {
  /**
   * A device asks. An earlier request of the same device that still waits is replaced.
   * @param request `id`: the joiner's ticket; made here when there is none yet
   * @param deadlineMs when it expires, by the steady clock; ten minutes from now if not given
   * @throws LanyardError TOO_MANY when too many are held
   */
  ask(request: Omit<Admission, 'id' | 'state'> & { readonly id?: string }, deadlineMs?: number): Admission;
  /** @throws LanyardError GONE for one that is unknown or expired */
  get(id: string): Admission;
  /** Those that wait, oldest first. */
  waiting(): readonly Admission[];
  /**
   * Marks it approved; adding the device to the roster is the caller's.
   * @param role instead of the one asked for
   * @throws LanyardError GONE, or CONFLICT when it was decided on already
   */
  approve(id: string, role?: Role): Admission;
  refuse(id: string): Admission;
  subscribe(listener: (admission: Admission) => void): Dispose;
}

export function createAdmissions({ clock }: { readonly clock: Pick<Clock, 'elapsedMs'> }): Admissions {
  const held = new Map<string, { admission: Admission; readonly deadlineMs: number }>();
  const listeners = new Set<(admission: Admission) => void>();

  const dropExpired = () => {
    for (const [id, { deadlineMs }] of held) if (clock.elapsedMs() >= deadlineMs) held.delete(id);
  };
  const find = (id: string) => {
    dropExpired();
    const found = held.get(id);
    if (found === undefined)
      throw new LanyardError({
        code: 'GONE',
        message: 'This request to join is not waiting any more.',
        hint: 'Start it again on the device.',
      });
    return found;
  };
  const announce = (admission: Admission) => {
    for (const listener of listeners) listener(admission);
    return admission;
  };
  const decide = (id: string, change: Partial<Admission>) => {
    const found = find(id);
    if (found.admission.state !== 'waiting')
      throw new LanyardError({ code: 'CONFLICT', message: `This request was ${found.admission.state} already.` });
    found.admission = { ...found.admission, ...change };
    return announce(found.admission);
  };

  return {
    ask(request, deadlineMs = clock.elapsedMs() + TRUST_LIMITS.admissionMs) {
      dropExpired();
      const isReplaced = ({ admission }: { admission: Admission }) => admission.device === request.device && admission.state === 'waiting';
      const before = [...held.values()].find(isReplaced);
      if (before !== undefined) held.delete(before.admission.id);
      if (held.size >= TRUST_LIMITS.admissions)
        throw new LanyardError({
          code: 'TOO_MANY',
          message: 'Too many devices wait to be let in.',
          hint: 'Approve or refuse some of them.',
        });
      const admission: Admission = { ...request, id: request.id ?? randomBytes(16).toString('hex'), state: 'waiting' };
      held.set(admission.id, { admission, deadlineMs });
      return announce(admission);
    },
    get: (id) => find(id).admission,
    waiting() {
      dropExpired();
      return [...held.values()].map(({ admission }) => admission).filter(({ state }) => state === 'waiting');
    },
    approve: (id, role) => decide(id, { state: 'approved', ...(role === undefined ? {} : { role }) }),
    refuse: (id) => decide(id, { state: 'refused' }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
