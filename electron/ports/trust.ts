import type { Readable } from 'node:stream';
import type { NodeId } from '../../shared/ids.ts';
import type {
  Admission,
  AuditEntry,
  AuditEvent,
  HandoverManifest,
  HandoverState,
  InviteInfo,
  JoinAnswer,
  JoinRequest,
  PairReply,
  PairReveal,
  PairStart,
  Role,
  Roster,
  SignedRoster,
  TokenInfo,
} from '../../shared/trust.ts';

/** Who speaks, as the bearer token or the certificate showed. */
export interface Identity {
  /** A token's subject, or a device's id. */
  readonly subject: string;
  readonly roles: readonly Role[];
  /** The device whose key the connection showed; absent for a token. */
  readonly device?: NodeId;
}
export interface Authenticator {
  /** @returns who carries this token, or undefined when nobody does. Compares in constant time. */
  authenticate(token: string): Identity | undefined;
}

/**
 * Who belongs to the farm, as its coordinator has it. A change is on disk when its promise resolves, and in the audit log.
 * `from` is the network address of a stranger; `by` is who did it.
 */
export interface Membership {
  readonly roster: Roster;
  /** What a device that holds `version` of the roster needs to follow. */
  since(version: number): readonly SignedRoster[];
  /** @throws LanyardError FORBIDDEN, TOO_MANY, INVALID */
  join(request: JoinRequest, from: string): Promise<JoinAnswer>;
  /** @throws LanyardError TOO_MANY, INVALID */
  startPairing(message: PairStart, from: string): PairReply;
  /** @throws LanyardError GONE, FORBIDDEN */
  revealPairing(message: PairReveal, from: string): JoinAnswer;
  /** @throws LanyardError GONE for a request that is not known (any more) */
  joinState(admission: string): JoinAnswer;

  /** The link and the text hold its secret and are not kept. @throws LanyardError TOO_MANY, or CONFLICT when no other machine can reach this one */
  invite(
    options: { readonly role: Role; readonly isApproved: boolean },
    by: Identity,
  ): { readonly id: string; readonly link: string; readonly text: string; readonly role: Role; readonly expiresAt: number };
  invites(): readonly InviteInfo[];
  /** @throws LanyardError NOT_FOUND */
  revokeInvite(id: string, by: Identity): void;

  admissions(): readonly Admission[];
  /** @throws LanyardError GONE, CONFLICT */
  approve(admission: string, role: Role | undefined, by: Identity): Promise<void>;
  /** @throws LanyardError GONE, CONFLICT */
  refuse(admission: string, by: Identity): void;
  /** @throws LanyardError NOT_FOUND, CONFLICT */
  changeRoles(device: NodeId, roles: readonly Role[], by: Identity): Promise<void>;
  /** Takes the device that asks out of the farm. @throws LanyardError FORBIDDEN without one, CONFLICT for the coordinator */
  leave(by: Identity): Promise<void>;
  /** @throws LanyardError NOT_FOUND, CONFLICT */
  removeDevice(device: NodeId, by: Identity): Promise<void>;

  tokens(): readonly TokenInfo[];
  /** @param token `lifeMs` null: never expires. @throws LanyardError TOO_MANY */
  createToken(
    token: { readonly name: string; readonly role: Role; readonly lifeMs: number | null },
    by: Identity,
  ): Promise<{ readonly token: string; readonly connections: readonly string[] }>;
  /** @throws LanyardError NOT_FOUND */
  revokeToken(id: string, by: Identity): Promise<void>;

  record(event: AuditEvent, actor: string, about?: { readonly target?: string; readonly detail?: string }): void;
  /** Notes that somebody was turned away; floods are not noted line by line. */
  recordRefusal(from: string, detail: string): void;
  /** Newest first. */
  audit(query: { readonly before?: number; readonly limit: number }): Promise<readonly AuditEntry[]>;
}

/** Moves the farm from this coordinator to another device, which fetches everything and then says that it has it. */
export interface Handover {
  readonly state: HandoverState;
  /** Asks a connected device to take over. @throws LanyardError CONFLICT, NOT_FOUND */
  begin(device: NodeId, by: Identity): HandoverState;
  /** What there is to fetch. @throws LanyardError FORBIDDEN for all but the device that was asked, here and below */
  manifest(by: Identity): Promise<HandoverManifest>;
  /** @throws LanyardError NOT_FOUND for what is not in the manifest */
  file(by: Identity, path: string, offset: number): Promise<{ readonly bytes: number; readonly content: Readable }>;
  /** Stops all change, and gives the last state of what still changed. Goes on here when `complete` does not follow in time. */
  freeze(by: Identity): Promise<HandoverManifest>;
  /** From here on the other device coordinates. @param peerAddress where the farm will reach it */
  complete(by: Identity, peerAddress: string): Promise<readonly SignedRoster[]>;
  /** The device that was asked cannot go on: this one does. */
  abandon(by: Identity, reason: string): void;
  /** A person takes the move back. @throws LanyardError CONFLICT when there is none, or when it is past its turning point */
  cancel(by: Identity): HandoverState;
}
