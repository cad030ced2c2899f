import { formatAddress } from '../../../shared/address.ts';
import type { TRUST_ROUTES } from '../../../shared/api-trust.ts';
import type { ApiContext } from '../context.ts';
import type { Call, HandlersOf } from '../route-types.ts';

const DAY_MS = 24 * 3_600_000;

export function trustHandlers({ membership, handover }: ApiContext): HandlersOf<typeof TRUST_ROUTES> {
  const ok = { ok: true } as const;
  return {
    join: ({ body, request }) => membership.join(body, addressOf(request)),
    startPairing: ({ body, request }) => membership.startPairing(body, addressOf(request)),
    revealPairing: ({ body, request }) => membership.revealPairing(body, addressOf(request)),
    joinState: ({ params }) => membership.joinState(params.admission),
    roster: ({ query }) => ({ chain: [...membership.since(query.since)], coordinatorAt: [] }),
    listDevices() {
      const { farm, coordinator, term, devices } = membership.roster;
      return { farm: { id: farm.id, name: farm.name }, coordinator, term, devices: devices.map(({ certificate: _, ...device }) => device) };
    },
    async updateDevice({ params, body, identity }) {
      await membership.changeRoles(params.device, body.roles, identity);
      return ok;
    },
    async leave({ identity }) {
      await membership.leave(identity);
      return ok;
    },
    async removeDevice({ params, identity }) {
      await membership.removeDevice(params.device, identity);
      return ok;
    },
    createInvite: ({ body, identity }) => membership.invite({ role: body.role, isApproved: body.approve }, identity),
    listInvites: () => ({ invites: [...membership.invites()] }),
    revokeInvite({ params, identity }) {
      membership.revokeInvite(params.invite, identity);
      return ok;
    },
    listAdmissions: () => ({ admissions: membership.admissions().map(({ certificate: _, ...admission }) => admission) }),
    async approveAdmission({ params, body, identity }) {
      await membership.approve(params.admission, body.role, identity);
      return ok;
    },
    refuseAdmission({ params, identity }) {
      membership.refuse(params.admission, identity);
      return ok;
    },
    listTokens: () => ({ tokens: [...membership.tokens()] }),
    async createToken({ body: { name, role, days }, identity }) {
      const { token, connections } = await membership.createToken({ name, role, lifeMs: days === null ? null : days * DAY_MS }, identity);
      return { token, connections: [...connections] };
    },
    async revokeToken({ params, identity }) {
      await membership.revokeToken(params.token, identity);
      return ok;
    },
    audit: async ({ query: { before, limit } }) => ({
      entries: [...(await membership.audit({ limit, ...(before === undefined ? {} : { before }) }))],
    }),
    moveCoordinator: ({ body, identity }) => handover.begin(body.device, identity),
    coordinatorState: () => handover.state,
    cancelMove({ identity }) {
      const state = handover.cancel(identity);
      membership.record('coordinator-stayed', identity.subject, state.to === null ? {} : { target: state.to });
      return state;
    },
    handoverManifest: ({ identity }) => handover.manifest(identity),
    async handoverFile({ query, identity }) {
      const { bytes, content } = await handover.file(identity, query.path, query.offset);
      return { headers: { 'content-type': 'application/octet-stream', 'content-length': bytes }, body: content };
    },
    freezeHandover: ({ identity }) => handover.freeze(identity),
    abandonHandover({ body, identity }) {
      handover.abandon(identity, body.reason);
      return ok;
    },
    async completeHandover({ body, identity, request }) {
      const address = formatAddress(addressOf(request), body.peerPort);
      return { chain: [...(await handover.complete(identity, address))], coordinatorAt: [] };
    },
  };
}

function addressOf(request: Call['request']): string {
  return request.socket.remoteAddress ?? 'unknown';
}
