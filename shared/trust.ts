import { z } from 'zod';
import type { FarmId, NodeId } from './ids.ts';
import { LIMITS } from './limits.ts';

/**
 * What devices of a farm say to each other about trust: the roster, invites, pairing, admissions, tokens and the audit
 * log. What is done with it lies in `electron/trust`.
 */

/** Bounds of the trust parts, with their units. */
export const TRUST_LIMITS = {
  /** Devices of one farm; one more is refused. */
  devices: 500,
  /** A certificate as PEM text, in characters. */
  certificateLength: 2_048,
  /** A signed roster as JSON text, in characters. */
  rosterLength: 2 * 1024 * 1024,
  /** Rosters that lead a device from the one it holds to the current one; older ones are forgotten, and such a device joins again. */
  rosterChain: 32,
  /** An invite as text, in characters. */
  inviteLength: 8_192,
  inviteAddresses: 8,
  /** Invites that are open at one time; one more is refused. */
  openInvites: 64,
  inviteMs: 10 * 60_000,
  /** Devices that wait for an administrator at one time; one more is refused. */
  admissions: 32,
  admissionMs: 10 * 60_000,
  /** Comparisons of digits that are under way at one time: each is a chance of one in a million for an impostor. */
  openPairings: 4,
  pairingMs: 2 * 60_000,
  tokens: 1_000,
  tokenMs: 90 * 24 * 3_600_000,
  /** A line of the audit log, in characters of JSON; the detail is cut to fit. */
  auditDetailLength: 500,
  /** Lines of one page of the audit log. */
  auditPage: 1_000,
} as const;

export const ROLES = ['viewer', 'submitter', 'worker', 'admin'] as const;
export type Role = (typeof ROLES)[number];
export const roleSchema = z.enum(ROLES);

/** 256 bits in lower-case base32 (RFC 4648, no padding); the last character carries one bit. */
const FINGERPRINT = /^[a-z2-7]{51}[aq]$/;
const fingerprintSchema = z.string().regex(FINGERPRINT, 'expected a fingerprint of 52 characters');
/** The SHA-256 of the device's public key. */
export const deviceIdSchema = fingerprintSchema.transform((text) => text as NodeId);
/** The SHA-256 of the farm's public key. */
export const farmIdSchema = fingerprintSchema.transform((text) => text as FarmId);

const nameSchema = z.string().trim().min(1).max(LIMITS.nameLength);
/** What a stranger calls itself stands on an administrator's screen: nothing that moves a cursor, or turns the direction of what stands beside it. */
const strangerNameSchema = nameSchema.refine(
  (name) => !/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u.test(name),
  'a name has no control characters',
);
const certificateSchema = z.string().max(TRUST_LIMITS.certificateLength);
const wallTimeSchema = z.number().int().min(0).max(8.64e15);

export const rosterDeviceSchema = z.strictObject({
  id: deviceIdSchema,
  name: nameSchema,
  /** PEM. Its key is the one that `id` is the fingerprint of. */
  certificate: certificateSchema,
  roles: z.array(roleSchema).min(1).max(ROLES.length),
  /** Wall clock of the device that added it, ms since 1970. */
  addedAt: wallTimeSchema,
  addedBy: deviceIdSchema,
});
export type RosterDevice = Readonly<z.infer<typeof rosterDeviceSchema>>;

/** Who belongs to a farm, with which roles, and who coordinates it. */
export const rosterSchema = z.strictObject({
  format: z.literal(1),
  /** `key`: the farm's public key, SPKI in DER, base64. The id is its fingerprint. */
  farm: z.strictObject({ id: farmIdSchema, name: nameSchema, key: z.string().max(256) }),
  devices: z.array(rosterDeviceSchema).min(1).max(TRUST_LIMITS.devices),
  coordinator: deviceIdSchema,
  /** Grows whenever another device becomes the coordinator. */
  term: z.number().int().min(1),
  /** Grows with every change. */
  version: z.number().int().min(1),
});
export type Roster = Readonly<z.infer<typeof rosterSchema>>;

export const signedRosterSchema = z.strictObject({
  roster: rosterSchema,
  /** The administrator's device that signed it, or the farm's own key, which signs the first. */
  signer: z.union([z.literal('farm'), deviceIdSchema]),
  /** ECDSA over P-256 and SHA-256 of the canonical JSON, r and s of 32 bytes each, base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
export type SignedRoster = Readonly<z.infer<typeof signedRosterSchema>>;

/** From the roster that a device holds to the current one, oldest first. */
export const rosterChainSchema = z.array(signedRosterSchema).max(TRUST_LIMITS.rosterChain + 1);

/** `host:port`, the host a name, an IPv4 address, or an IPv6 address in brackets. */
const ADDRESS = /^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):([1-9]\d{0,4})$/;
export const addressSchema = z
  .string()
  .max(255)
  .refine((text) => Number(ADDRESS.exec(text)?.[3] ?? 65_536) <= 65_535, 'expected HOST:PORT, an IPv6 address in brackets');

export const inviteSchema = z.strictObject({
  addresses: z.array(addressSchema).min(1).max(TRUST_LIMITS.inviteAddresses),
  coordinator: deviceIdSchema,
  farm: farmIdSchema,
  /** 128 random bits, hexadecimal. Good for one device. */
  secret: z.string().regex(/^[0-9a-f]{32}$/),
  role: roleSchema,
  /** Wall clock of the coordinator, ms since 1970: a hint for whoever reads it; the coordinator's own steady clock decides. */
  expiresAt: wallTimeSchema,
});
export type Invite = Readonly<z.infer<typeof inviteSchema>>;

/** A device with an invite asks the coordinator to be let in. It has checked the coordinator's key before. */
export const joinRequestSchema = z.strictObject({
  secret: z.string().regex(/^[0-9a-f]{32}$/),
  name: strangerNameSchema,
  certificate: certificateSchema,
});
export type JoinRequest = Readonly<z.infer<typeof joinRequestSchema>>;

/** How a request to be let in stands. */
export const joinAnswerSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('waiting'), admission: z.string().regex(/^[0-9a-f]{32}$/) }),
  z.object({ state: z.literal('refused') }),
  z.object({
    state: z.literal('approved'),
    /** All that is needed to verify the farm from its first roster on. */
    chain: rosterChainSchema,
    /** Where devices of the farm connect. */
    peerPort: z.number().int().min(1).max(65_535),
  }),
]);
export type JoinAnswer = Readonly<z.infer<typeof joinAnswerSchema>>;

/** An open invite as it is listed; its secret is known to whom it was given. */
export const inviteInfoSchema = z.object({
  id: z.string(),
  role: roleSchema,
  isApproved: z.boolean(),
  by: z.string(),
  leftMs: z.number(),
});
export type InviteInfo = Readonly<z.infer<typeof inviteInfoSchema>>;

/** How handing coordination over to another device stands. */
export const handoverStateSchema = z.object({
  phase: z.enum(['none', 'asked', 'copying', 'frozen', 'done', 'failed']),
  to: deviceIdSchema.nullable(),
  /** The other device's host, as this coordinator sees it. */
  host: z.string().nullable().default(null),
  doneBytes: z.number().int().min(0),
  totalBytes: z.number().int().min(0),
  /** Why it failed, or what happens now. */
  message: z.string(),
});
export type HandoverState = Readonly<z.infer<typeof handoverStateSchema>>;

/** What a device needs to follow the farm. */
export const rosterAnswerSchema = z.object({
  /** The signed rosters after the version that was asked about, oldest first. */
  chain: rosterChainSchema,
  /** Where the coordinator's peer listener is, when it is not the device that answers. */
  coordinatorAt: z.array(addressSchema).max(8).default([]),
});

/** The files of a farm that move with its coordination. Logs and blobs only grow. */
export const handoverManifestSchema = z.object({
  files: z.array(z.object({ path: z.string().min(1).max(512), bytes: z.number().int().min(0) })),
});
export type HandoverManifest = Readonly<z.infer<typeof handoverManifestSchema>>;

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const nonce = z.string().regex(/^[0-9a-f]{64}$/);

/** Pairing by six digits, first message: the joiner binds itself to a nonce that it does not show yet. */
export const pairStartSchema = z.strictObject({ name: strangerNameSchema, certificate: certificateSchema, commitment: hash });
export type PairStart = Readonly<z.infer<typeof pairStartSchema>>;
/** Second message: the coordinator's nonce, and the number of this pairing. */
export const pairReplySchema = z.strictObject({ pairing: z.string().regex(/^[0-9a-f]{32}$/), farm: farmIdSchema, nonce });
export type PairReply = Readonly<z.infer<typeof pairReplySchema>>;
/** Third message: what the joiner had bound itself to. Both can now show the digits. */
export const pairRevealSchema = z.strictObject({ pairing: z.string().regex(/^[0-9a-f]{32}$/), nonce });
export type PairReveal = Readonly<z.infer<typeof pairRevealSchema>>;

/** A device that waits for an administrator, as the administrator sees it. */
export const admissionSchema = z.object({
  /** Also the joiner's ticket to ask how it stands: 128 random bits, hexadecimal. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  device: deviceIdSchema,
  /** What the device calls itself. Anybody can call itself anything. */
  name: nameSchema,
  certificate: certificateSchema,
  role: roleSchema,
  via: z.enum(['invite', 'digits']),
  /** The id of the invite that it brought; null for digits. */
  invite: z.string().nullable(),
  /** What must stand on both screens; null for an invite. */
  digits: z
    .string()
    .regex(/^\d{6}$/)
    .nullable(),
  /** The network address that it asks from. */
  from: z.string(),
  state: z.enum(['waiting', 'approved', 'refused']),
});
export type Admission = Readonly<z.infer<typeof admissionSchema>>;

export const AUDIT_EVENTS = [
  'farm-created',
  'invite-created',
  'invite-used',
  'invite-refused',
  'pairing-started',
  'pairing-refused',
  'device-approved',
  'device-refused',
  'device-joined',
  'device-removed',
  'role-changed',
  'coordinator-moved',
  /** A move of coordination was taken back. */
  'coordinator-stayed',
  'token-created',
  'token-revoked',
  'access-refused',
  'job-submitted',
  'job-cancelled',
] as const;
export type AuditEvent = (typeof AUDIT_EVENTS)[number];

export const auditEntrySchema = z.object({
  /** Grows by one with every line. */
  sequence: z.number().int().min(1),
  /** Wall clock, ms since 1970. */
  at: wallTimeSchema,
  event: z.enum(AUDIT_EVENTS),
  /** Who did it: a token's subject, a device's id, or the address of a stranger. */
  actor: z.string(),
  /** What it was done to: a device, a token, a job. */
  target: z.string().optional(),
  detail: z.string().optional(),
});
export type AuditEntry = Readonly<z.infer<typeof auditEntrySchema>>;

/** A bearer token as it is listed; the token itself is known to its owner only. */
export const tokenInfoSchema = z.object({
  /** The first characters of its hash. */
  id: z.string().regex(/^[0-9a-f]{12}$/),
  name: z.string(),
  subject: z.string(),
  role: roleSchema,
  createdAt: wallTimeSchema,
  /** Null: never. */
  expiresAt: wallTimeSchema.nullable(),
  /** To the hour; null: never. */
  lastUsedAt: wallTimeSchema.nullable(),
});
export type TokenInfo = Readonly<z.infer<typeof tokenInfoSchema>>;
