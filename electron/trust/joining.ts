import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { formatAddress, splitAddress } from '../../shared/address.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { FarmId, NodeId } from '../../shared/ids.ts';
import { type Invite, type JoinAnswer, joinAnswerSchema, pairReplySchema, type Roster, TRUST_LIMITS } from '../../shared/trust.ts';
import { verifyFirst } from './farm.ts';
import type { DeviceIdentity } from './identity.ts';
import { confirmDigits, receiveReply, startPairing } from './pairing.ts';
import { pinnedRequest } from './pinned-request.ts';
import type { RosterFile } from './roster.ts';
import { fetchCertificate, fetchPinnedCertificate, pinnedClientOptions } from './tls.ts';

/** The side of the device that joins a farm. */

export interface JoinOptions {
  readonly identity: DeviceIdentity;
  /** Still empty. */
  readonly roster: RosterFile;
  /** What this device calls itself. */
  readonly name: string;
  readonly signal: AbortSignal;
  /** The request is under way, and an administrator has to look at it. */
  readonly waiting: () => void;
}

export interface Joined {
  readonly roster: Roster;
  /** Where the coordinator's peer listener is, `host:port`. */
  readonly coordinatorAt: string;
}

const ASK_EVERY_MS = 1_000;

/**
 * Joins with an invite: pins the coordinator's key before it sends the secret, and takes no roster but that of the farm and
 * coordinator that the invite names.
 * @throws LanyardError CONFLICT when the device belongs to a farm, FORBIDDEN when the invite or the coordinator is not the one, UNAVAILABLE
 */
export async function joinByInvite(invite: Invite, options: JoinOptions): Promise<Joined> {
  assertFree(options.roster);
  const { address, certificate } = await firstThatAnswers(invite);
  const { identity, name } = options;
  const tls = pinnedClientOptions(certificate);
  const body = { secret: invite.secret, name, certificate: identity.certificate };
  const first = await pinnedRequest({ address, tls, method: 'POST', path: '/api/join', body }, joinAnswerSchema);
  const answer = await untilDecided(first, { address, certificate }, Date.now() + TRUST_LIMITS.admissionMs, options);
  return settle(answer, address, { farm: invite.farm, coordinator: invite.coordinator }, options);
}

export interface DigitsOptions extends JoinOptions {
  /** `host:port` of the coordinator's API listener. */
  readonly address: string;
  /** Who should answer there, where that is known: what was announced on the network. */
  readonly expected?: NodeId;
  /** The person compares both screens. @returns whether they are the same */
  readonly compare: (digits: string) => Promise<boolean>;
}

/**
 * Joins by comparing six digits on both screens.
 * @throws LanyardError as `joinByInvite`; FORBIDDEN when the digits differ or the administrator refuses
 */
export async function joinByDigits(options: DigitsOptions): Promise<Joined> {
  assertFree(options.roster);
  const { identity, name, address, expected } = options;
  const { host, port } = splitAddress(address);
  const { id: coordinator, certificate } = await fetchCertificate(host, port);
  if (expected !== undefined && expected !== coordinator)
    throw new LanyardError({
      code: 'FORBIDDEN',
      message: `Whoever answers at ${address} is not the coordinator that was announced.`,
      hint: 'Somebody may pretend to be it. Join with an invite instead.',
    });
  const tls = pinnedClientOptions(certificate);
  const nonce = randomBytes(32).toString('hex');
  const started = startPairing({ name, certificate: identity.certificate, coordinator, nonce, nowMs: performance.now() });
  const reply = await pinnedRequest({ address, tls, method: 'POST', path: '/api/pairing/start', body: started.message }, pairReplySchema);
  const { state, message } = receiveReply(started.state, reply, performance.now());
  if (state.phase !== 'comparing') throw pairingFailed(state.phase === 'failed' ? state.reason : state.phase);
  const revealed = await pinnedRequest({ address, tls, method: 'POST', path: '/api/pairing/reveal', body: message }, joinAnswerSchema);
  const agreed = confirmDigits(state, await options.compare(state.digits), performance.now());
  if (agreed.phase !== 'agreed') throw pairingFailed(agreed.phase === 'failed' ? agreed.reason : agreed.phase);
  const answer = await untilDecided(revealed, { address, certificate }, Date.now() + TRUST_LIMITS.pairingMs, options);
  return settle(answer, address, { farm: agreed.farm, coordinator }, options);
}

function assertFree(roster: RosterFile): void {
  if (roster.current === undefined) return;
  throw new LanyardError({
    code: 'CONFLICT',
    message: `This device belongs to the farm "${roster.current.farm.name}" already.`,
    hint: '`lanyard farm leave` takes it out.',
  });
}

async function firstThatAnswers(invite: Invite): Promise<{ readonly address: string; readonly certificate: string }> {
  const failures: string[] = [];
  for (const address of invite.addresses) {
    const { host, port } = splitAddress(address);
    try {
      return { address, certificate: await fetchPinnedCertificate(host, port, invite.coordinator) };
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  throw new LanyardError({
    code: 'UNAVAILABLE',
    message: `The coordinator of this invite cannot be reached. ${failures.join(' ')}`,
    hint: 'Is it running, and are both machines on one network? `lanyard doctor` looks for what is in the way.',
  });
}

async function untilDecided(
  first: JoinAnswer,
  { address, certificate }: { readonly address: string; readonly certificate: string },
  deadline: number,
  { signal, waiting }: JoinOptions,
): Promise<JoinAnswer> {
  let answer = first;
  if (answer.state === 'waiting') waiting();
  while (answer.state === 'waiting') {
    if (Date.now() > deadline)
      throw new LanyardError({
        code: 'GONE',
        message: 'No administrator answered in time.',
        hint: 'Ask one to be there, and start again.',
      });
    await pause(ASK_EVERY_MS, undefined, { signal });
    const path = `/api/join/${answer.admission}`;
    answer = await pinnedRequest({ address, tls: pinnedClientOptions(certificate), method: 'GET', path }, joinAnswerSchema);
  }
  return answer;
}

async function settle(
  answer: JoinAnswer,
  address: string,
  expected: { readonly farm: FarmId; readonly coordinator: NodeId },
  { identity, roster }: JoinOptions,
): Promise<Joined> {
  if (answer.state !== 'approved')
    throw new LanyardError({ code: 'FORBIDDEN', message: 'An administrator of the farm refused this device.' });
  const last = answer.chain.at(-1);
  if (last === undefined) throw new LanyardError({ code: 'INTERNAL', message: 'The coordinator sent no roster.' });
  verifyFirst(last, { ...expected, device: identity.id });
  const { host } = splitAddress(address);
  return { roster: await roster.start(answer.chain), coordinatorAt: formatAddress(host, answer.peerPort) };
}

function pairingFailed(reason: string): LanyardError {
  return reason === 'expired'
    ? new LanyardError({ code: 'GONE', message: 'This pairing has expired.', hint: 'Start again.' })
    : new LanyardError({
        code: 'FORBIDDEN',
        message: `The pairing failed (${reason}).`,
        hint: 'If the digits really differ, somebody may be listening in: join with an invite instead.',
      });
}
