import { createHash, randomBytes } from 'node:crypto';
import { LanyardError } from '../../shared/errors.ts';
import type { FarmId, NodeId } from '../../shared/ids.ts';
import { type Invite, type Role, TRUST_LIMITS } from '../../shared/trust.ts';
import type { Clock } from '../ports/system.ts';
import { encodeInvite, inviteLink } from './invite-text.ts';
import { createRateLimit } from './rate-limit.ts';

/** A new invite. Its secret is in `link` and `text` only: show them once, keep neither. */
export interface MadeInvite {
  /** Names it in lists and in the audit log; says nothing of the secret. */
  readonly id: string;
  readonly link: string;
  /** What can be typed or pasted instead of the link. */
  readonly text: string;
  readonly invite: Invite;
}

/** What a secret was good for. */
export interface RedeemedInvite {
  readonly id: string;
  readonly role: Role;
  /** Whether the device is in without an administrator's look at it. */
  readonly isApproved: boolean;
  readonly invitedBy: string;
}

export interface Invites {
  /** @throws LanyardError TOO_MANY when too many are open */
  make(options: {
    readonly addresses: readonly string[];
    readonly farm: FarmId;
    readonly coordinator: NodeId;
    readonly role: Role;
    /** Let whoever brings the secret in at once. */
    readonly isApproved: boolean;
    readonly by: string;
  }): MadeInvite;
  /**
   * Uses an invite up: of any number of callers, at the same moment or one after the other, one gets through.
   * @param from network address of who brings it
   * @throws LanyardError FORBIDDEN for a secret that is unknown, used or expired (which of them is not said), TOO_MANY after too many of those
   */
  redeem(secret: string, from: string): RedeemedInvite;
  /** Takes an open invite back. @returns whether there was one */
  revoke(id: string): boolean;
  list(): readonly {
    readonly id: string;
    readonly role: Role;
    readonly isApproved: boolean;
    readonly by: string;
    readonly leftMs: number;
  }[];
}

interface OpenInvite {
  readonly id: string;
  readonly role: Role;
  readonly isApproved: boolean;
  readonly by: string;
  /** By the steady clock: setting the wall clock back does not revive an invite. */
  readonly deadlineMs: number;
}

/** Wrong secrets in a minute. 128 bits cannot be guessed at any rate; this keeps the log short and tells of the attempt. */
const WRONG = { windowMs: 60_000, perAddress: 10, inAll: 100 };

/** The coordinator's open invites. They live in memory: a restart voids them, as ten minutes would have. */
export function createInvites({ clock }: { readonly clock: Pick<Clock, 'wallMs' | 'elapsedMs'> }): Invites {
  /** By the SHA-256 of the secret, so how long a look-up takes says nothing about the secrets. */
  const open = new Map<string, OpenInvite>();
  const limit = createRateLimit({ clock, what: 'wrong invites', ...WRONG });

  const dropExpired = () => {
    for (const [hash, { deadlineMs }] of open) if (clock.elapsedMs() >= deadlineMs) open.delete(hash);
  };

  return {
    make({ addresses, farm, coordinator, role, isApproved, by }) {
      dropExpired();
      if (open.size >= TRUST_LIMITS.openInvites)
        throw new LanyardError({ code: 'TOO_MANY', message: 'Too many invites are open.', hint: 'Take some back, or wait ten minutes.' });
      const secret = randomBytes(16).toString('hex');
      const id = randomBytes(4).toString('hex');
      const expiresAt = Math.floor((clock.wallMs() + TRUST_LIMITS.inviteMs) / 1000) * 1000;
      const invite: Invite = { addresses: [...addresses], coordinator, farm, secret, role, expiresAt };
      const text = encodeInvite(invite);
      open.set(hashOf(secret), { id, role, isApproved, by, deadlineMs: clock.elapsedMs() + TRUST_LIMITS.inviteMs });
      return { id, link: inviteLink(text), text, invite };
    },
    redeem(secret, from) {
      limit.check(from);
      dropExpired();
      const hash = hashOf(secret);
      const found = open.get(hash);
      if (found === undefined) {
        limit.count(from);
        throw new LanyardError({
          code: 'FORBIDDEN',
          message: 'This invite is not open: it was used, it expired, or the coordinator was restarted.',
          hint: 'Ask for a new one.',
        });
      }
      // No await between the look-up and this: nobody else can find it any more.
      open.delete(hash);
      return { id: found.id, role: found.role, isApproved: found.isApproved, invitedBy: found.by };
    },
    revoke(id) {
      for (const [hash, invite] of open) if (invite.id === id) return open.delete(hash);
      return false;
    },
    list() {
      dropExpired();
      return [...open.values()].map(({ deadlineMs, ...invite }) => ({ ...invite, leftMs: deadlineMs - clock.elapsedMs() }));
    },
  };
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
