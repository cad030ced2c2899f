import { LanyardError } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import { type Admission, type JoinAnswer, type Role, type Roster, type SignedRoster, TRUST_LIMITS } from '../../shared/trust.ts';
import type { Clock, Logger } from '../ports/system.ts';
import type { Identity, Membership } from '../ports/trust.ts';
import { createAdmissions } from './admissions.ts';
import type { Audit } from './audit.ts';
import { nodeIdOf, readDeviceCertificate } from './certificate.ts';
import { formatConnectionString } from './connection-string.ts';
import { addDevice, changeRoles, findDevice, removeDevice } from './farm.ts';
import type { DeviceIdentity } from './identity.ts';
import { createInvites } from './invites.ts';
import { createPairings } from './pairings.ts';
import { createRateLimit } from './rate-limit.ts';
import type { RosterFile } from './roster.ts';
import type { Tokens } from './tokens.ts';

export interface MembershipOptions {
  readonly identity: DeviceIdentity;
  /** Of a farm that `identity` coordinates. */
  readonly roster: RosterFile;
  readonly tokens: Tokens;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where other machines reach this one's API listener, `host:port`; none while it is not listening to them. */
  readonly addresses: () => readonly string[];
  readonly peerPort: () => number;
}

/** Refusals that get a line of their own in the audit log; a flood of them must not push the rest of the log out. */
const NOTED_REFUSALS = { windowMs: 60_000, perAddress: 5, inAll: 30 };

/** Ties invites, pairings, admissions, tokens and the audit log to the roster, which this device signs as its coordinator. */
export function createMembership(options: MembershipOptions): Membership {
  const { identity, roster, tokens, audit, clock, logger } = options;
  const held = (): Roster => {
    if (roster.current === undefined) throw new LanyardError({ code: 'CONFLICT', message: 'This device belongs to no farm.' });
    return roster.current;
  };
  const admissions = createAdmissions({ clock });
  const invites = createInvites({ clock });
  const pairings = createPairings({ clock, coordinator: identity.id, farm: held().farm.id, admissions, logger, audit });
  const noted = createRateLimit({ clock, what: 'refusals', ...NOTED_REFUSALS });
  let turn: Promise<unknown> = Promise.resolve();

  /** One change of the roster at a time, each made from the one before. */
  const change = (make: (current: Roster) => SignedRoster): Promise<void> => {
    const mine = turn.then(async () => {
      await roster.follow([make(held())]);
    });
    turn = mine.catch(() => undefined);
    return mine;
  };
  const letIn = async ({ name, certificate }: Pick<Admission, 'name' | 'certificate'>, role: Role, by: string) => {
    const id = nodeIdOf(certificate);
    // A device that asks again has lost its copy of the roster, not its place in it.
    if (findDevice(held(), id) === undefined)
      await change((current) => addDevice(current, identity, { name, certificate, roles: [role] }, Math.floor(clock.wallMs())));
    audit.record('device-joined', id, { target: name, detail: `as ${role}, by ${by}` });
    logger.info('a device joined the farm', { device: id, name, role });
  };
  const recordRefusal = (from: string, detail: string) => {
    try {
      noted.check(from);
    } catch {
      return;
    }
    noted.count(from);
    audit.record('access-refused', from, { detail });
  };
  const answer = (admission: Admission): JoinAnswer => {
    if (admission.state === 'waiting') return { state: 'waiting', admission: admission.id };
    if (admission.state === 'refused') return { state: 'refused' };
    return { state: 'approved', chain: [...roster.since(0)], peerPort: options.peerPort() };
  };

  return {
    get roster() {
      return held();
    },
    since: (version) => roster.since(version),

    async join({ secret, name, certificate }, from) {
      // First the certificate: an invite is not used up by a request that cannot succeed.
      const device = readDeviceCertificate(certificate).id;
      let invite: ReturnType<typeof invites.redeem>;
      try {
        invite = invites.redeem(secret, from);
      } catch (error) {
        logger.warn('an invite was refused', { from, device });
        audit.record('invite-refused', from, { target: device, detail: name });
        throw error;
      }
      audit.record('invite-used', from, { target: device, detail: `invite ${invite.id} of ${invite.invitedBy}` });
      if (!invite.isApproved)
        return answer(
          admissions.ask({ device, name, certificate, role: invite.role, via: 'invite', invite: invite.id, digits: null, from }),
        );
      await letIn({ name, certificate }, invite.role, invite.invitedBy);
      return { state: 'approved', chain: [...roster.since(0)], peerPort: options.peerPort() };
    },
    startPairing: (message, from) => pairings.start(message, from),
    revealPairing: (message, from) => answer(pairings.reveal(message, from)),
    joinState: (id) => answer(admissions.get(id)),

    invite({ role, isApproved }, by) {
      const addresses = options.addresses().slice(0, TRUST_LIMITS.inviteAddresses);
      if (addresses.length === 0)
        throw new LanyardError({
          code: 'CONFLICT',
          message: 'No other machine can reach this coordinator, so an invite would lead nowhere.',
          hint: 'Start it with --lan-host 0.0.0.0, and look at `lanyard doctor`.',
        });
      const made = invites.make({ addresses, farm: held().farm.id, coordinator: identity.id, role, isApproved, by: by.subject });
      audit.record('invite-created', by.subject, { target: made.id, detail: `${role}${isApproved ? ', approved in advance' : ''}` });
      return { id: made.id, link: made.link, text: made.text, role, expiresAt: made.invite.expiresAt };
    },
    invites: () => invites.list(),
    revokeInvite(id, by) {
      if (!invites.revoke(id)) throw new LanyardError({ code: 'NOT_FOUND', message: `No invite ${id} is open.` });
      audit.record('invite-refused', by.subject, { target: id, detail: 'taken back' });
    },

    admissions: () => admissions.waiting(),
    async approve(id, role, by) {
      const asked = admissions.get(id);
      if (asked.state !== 'waiting') throw new LanyardError({ code: 'CONFLICT', message: `This request was ${asked.state} already.` });
      const granted = role ?? asked.role;
      await letIn(asked, granted, by.subject);
      admissions.approve(id, granted);
      audit.record('device-approved', by.subject, { target: asked.device, detail: `${asked.name} as ${granted}` });
    },
    refuse(id, by) {
      const { device, name } = admissions.refuse(id);
      audit.record('device-refused', by.subject, { target: device, detail: name });
    },
    async changeRoles(device, roles, by) {
      await change((current) => changeRoles(current, identity, device, roles));
      audit.record('role-changed', by.subject, { target: device, detail: roles.join(', ') });
    },
    async leave({ device }) {
      if (device === undefined)
        throw new LanyardError({ code: 'FORBIDDEN', message: 'A token belongs to no device, so nothing can leave the farm with it.' });
      await change((current) => removeDevice(current, identity, device));
      audit.record('device-removed', device, { target: device, detail: 'left' });
    },
    async removeDevice(device, by) {
      await change((current) => removeDevice(current, identity, device));
      audit.record('device-removed', by.subject, { target: device });
    },

    tokens: () => tokens.list(),
    async createToken({ name, role, lifeMs }, by) {
      const token = await tokens.create(name, role, { lifeMs });
      audit.record('token-created', by.subject, { target: name, detail: role });
      const fingerprint = identity.id;
      return { token, connections: options.addresses().map((address) => formatConnectionString({ token, address, fingerprint })) };
    },
    async revokeToken(id, by) {
      const revoked = await tokens.revoke(id);
      if (revoked === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: `There is no token ${id}.` });
      audit.record('token-revoked', by.subject, { target: revoked.name });
    },

    record: (event, actor, about) => audit.record(event, actor, about),
    recordRefusal,
    audit: (query) => audit.page(query),
  };
}

/** Whom a device of the roster stands for. */
export function deviceIdentity({ id, roles }: { readonly id: NodeId; readonly roles: readonly Role[] }): Identity {
  return { subject: id, roles, device: id };
}
