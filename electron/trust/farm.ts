import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { invalid, LanyardError } from '../../shared/errors.ts';
import type { FarmId, NodeId } from '../../shared/ids.ts';
import { ROLES, type Role, type Roster, type RosterDevice, rosterSchema, type SignedRoster } from '../../shared/trust.ts';
import { canonicalJson } from './canonical.ts';
import { keyFingerprint, readDeviceCertificate } from './certificate.ts';
import type { DeviceIdentity } from './identity.ts';

/** What is signed says what it is, so that a signature for one purpose is worth nothing for another. */
const SIGNED_AS = 'lanyard roster 1\n';

/** A device that is to belong to a farm. */
export interface NewDevice {
  readonly name: string;
  readonly certificate: string;
  readonly roles: readonly Role[];
}

/** A farm's own key, PKCS #8 PEM. It signs the first roster; whoever keeps it can prove to have made the farm. */
export function createFarmKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The first roster of a farm: one device, which coordinates and administers it. */
export function createFarm(options: {
  readonly farmKey: string;
  readonly name: string;
  readonly device: Omit<NewDevice, 'roles'>;
  /** Whether the first device also works. */
  readonly works: boolean;
  readonly nowMs: number;
}): SignedRoster {
  const key = createPrivateKey(options.farmKey);
  const { id } = readDeviceCertificate(options.device.certificate);
  const roster = checkRoster({
    format: 1,
    farm: { id: farmIdOf(createPublicKey(options.farmKey)), name: options.name, key: publicKeyText(options.farmKey) },
    devices: [{ ...options.device, id, roles: options.works ? ['worker', 'admin'] : ['admin'], addedAt: options.nowMs, addedBy: id }],
    coordinator: id,
    term: 1,
    version: 1,
  });
  const signature = sign('sha256', signedBytes(roster), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
  return { roster, signer: 'farm', signature };
}

/** @throws LanyardError CONFLICT when it belongs to the farm already, INVALID for a certificate that is none, FORBIDDEN for a signer who is no administrator */
export function addDevice(held: Roster, signer: DeviceIdentity, device: NewDevice, nowMs: number): SignedRoster {
  const { id } = readDeviceCertificate(device.certificate);
  if (findDevice(held, id) !== undefined)
    throw new LanyardError({ code: 'CONFLICT', message: `Device ${id} belongs to this farm already.`, hint: 'Change its role instead.' });
  const added: RosterDevice = { ...device, id, roles: orderRoles(device.roles), addedAt: nowMs, addedBy: signer.id };
  return next(held, signer, { devices: [...held.devices, added] });
}

/** @throws LanyardError NOT_FOUND, or CONFLICT for the coordinator, which must hand over first */
export function removeDevice(held: Roster, signer: DeviceIdentity, id: NodeId): SignedRoster {
  requireDevice(held, id);
  if (id === held.coordinator)
    throw new LanyardError({
      code: 'CONFLICT',
      message: 'The coordinator cannot be removed from its own farm.',
      hint: 'Move coordination to another device first.',
    });
  return next(held, signer, { devices: held.devices.filter((device) => device.id !== id) });
}

/** @throws LanyardError NOT_FOUND, or CONFLICT when it would take the coordinator's administration away */
export function changeRoles(held: Roster, signer: DeviceIdentity, id: NodeId, roles: readonly Role[]): SignedRoster {
  requireDevice(held, id);
  if (id === held.coordinator && !roles.includes('admin'))
    throw new LanyardError({ code: 'CONFLICT', message: 'The coordinator lets devices in, so it stays an administrator.' });
  return next(held, signer, { devices: withRoles(held, id, roles) });
}

/** Makes another device the coordinator, and with it an administrator. The term grows. */
export function moveCoordinator(held: Roster, signer: DeviceIdentity, id: NodeId): SignedRoster {
  const device = requireDevice(held, id);
  if (id === held.coordinator) throw new LanyardError({ code: 'CONFLICT', message: `Device ${id} is the coordinator already.` });
  return next(held, signer, { devices: withRoles(held, id, [...device.roles, 'admin']), coordinator: id, term: held.term + 1 });
}

export function findDevice(roster: Roster, id: string): RosterDevice | undefined {
  return roster.devices.find((device) => device.id === id);
}

/**
 * Accepts a roster in place of the one held.
 * @throws LanyardError FORBIDDEN unless it is of the same farm, newer, and signed by a device that is an administrator in
 * the roster held; INVALID when it contradicts itself
 */
export function verifySuccessor(held: Roster, offered: SignedRoster): Roster {
  const roster = checkRoster(offered.roster);
  if (roster.farm.id !== held.farm.id) throw refused('it is of another farm');
  if (roster.version <= held.version) throw refused(`its version ${roster.version} is not newer than ${held.version}`);
  if (roster.term < held.term || (roster.term === held.term && roster.coordinator !== held.coordinator))
    throw refused('its coordinator changed without a new term');
  const signer = offered.signer === 'farm' ? undefined : findDevice(held, offered.signer);
  if (!signer?.roles.includes('admin')) throw refused('who signed it is no administrator in the roster held');
  if (!isSignedBy(offered, roster, readDeviceCertificate(signer.certificate).certificate.publicKey))
    throw refused('its signature is wrong');
  return roster;
}

/**
 * Accepts the first roster of a device that joins, from the coordinator whose key it has pinned and is connected to.
 * @param expected what the invite or the compared digits said
 * @throws LanyardError FORBIDDEN unless farm and coordinator are those, the device itself is in it, and the farm's key (first version) or
 * one of its administrators signed it
 */
export function verifyFirst(
  offered: SignedRoster,
  expected: { readonly farm: FarmId; readonly coordinator: NodeId; readonly device: NodeId },
): Roster {
  const roster = checkRoster(offered.roster);
  if (roster.farm.id !== expected.farm) throw refused('it is of another farm');
  if (roster.coordinator !== expected.coordinator) throw refused('it names another coordinator');
  if (findDevice(roster, expected.device) === undefined) throw refused('this device is not in it');
  const signer = offered.signer === 'farm' ? undefined : findDevice(roster, offered.signer);
  if (offered.signer === 'farm' ? roster.version !== 1 : !signer?.roles.includes('admin'))
    throw refused('who signed it is no administrator');
  const key = signer === undefined ? farmKey(roster.farm.key) : readDeviceCertificate(signer.certificate).certificate.publicKey;
  if (!isSignedBy(offered, roster, key)) throw refused('its signature is wrong');
  return roster;
}

/**
 * Holds the rules that a single roster must keep: ids that are their keys' fingerprints, each device once, the
 * coordinator among the administrators.
 * @throws LanyardError INVALID
 */
export function checkRoster(value: unknown): Roster {
  const parsed = rosterSchema.safeParse(value);
  if (!parsed.success) throw invalid(parsed.error, 'This roster');
  const roster = parsed.data;
  if (farmIdOf(farmKey(roster.farm.key)) !== roster.farm.id) throw contradiction("the farm's id is not that of its key");
  const seen = new Set<NodeId>();
  for (const device of roster.devices) {
    if (readDeviceCertificate(device.certificate).id !== device.id) throw contradiction(`id ${device.id} is not that of its key`);
    if (seen.has(device.id)) throw contradiction(`device ${device.id} is in it twice`);
    if (new Set(device.roles).size !== device.roles.length) throw contradiction(`device ${device.id} has a role twice`);
    seen.add(device.id);
  }
  if (!findDevice(roster, roster.coordinator)?.roles.includes('admin'))
    throw contradiction('its coordinator is not an administrator in it');
  return roster;
}

function next(held: Roster, signer: DeviceIdentity, change: Partial<Roster>): SignedRoster {
  if (!findDevice(held, signer.id)?.roles.includes('admin'))
    throw new LanyardError({ code: 'FORBIDDEN', message: 'This device is not an administrator of the farm.' });
  const roster = checkRoster({ ...held, ...change, version: held.version + 1 });
  return { roster, signer: signer.id, signature: signer.sign(signedBytes(roster)).toString('base64url') };
}

function withRoles(held: Roster, id: NodeId, roles: readonly Role[]): RosterDevice[] {
  return held.devices.map((device) => (device.id === id ? { ...device, roles: orderRoles(roles) } : device));
}

function orderRoles(roles: readonly Role[]): Role[] {
  return ROLES.filter((role) => roles.includes(role));
}

function requireDevice(roster: Roster, id: NodeId): RosterDevice {
  const device = findDevice(roster, id);
  if (device === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: `No device ${id} belongs to this farm.` });
  return device;
}

function signedBytes(roster: Roster): Buffer {
  return Buffer.from(SIGNED_AS + canonicalJson(roster));
}

function isSignedBy(offered: SignedRoster, roster: Roster, key: KeyObject): boolean {
  return verify('sha256', signedBytes(roster), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(offered.signature, 'base64url'));
}

function farmIdOf(key: KeyObject): FarmId {
  return keyFingerprint(key) as FarmId;
}

function publicKeyText(farmKeyPem: string): string {
  return createPublicKey(farmKeyPem).export({ type: 'spki', format: 'der' }).toString('base64');
}

function farmKey(text: string): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(text, 'base64'), type: 'spki', format: 'der' });
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch {
    // Said below, like a key of another kind.
  }
  throw contradiction("the farm's key is not of P-256");
}

function refused(reason: string): LanyardError {
  return new LanyardError({ code: 'FORBIDDEN', message: `This roster is refused: ${reason}.` });
}

function contradiction(reason: string): LanyardError {
  return new LanyardError({ code: 'INVALID', message: `This roster is not valid: ${reason}.` });
}
