import type { X509Certificate } from 'node:crypto';
import { type ConnectionOptions, connect, type PeerCertificate, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { LanyardError } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import type { Roster, RosterDevice } from '../../shared/trust.ts';
import { nodeIdOf, readDeviceCertificate, spkiFingerprint } from './certificate.ts';
import { findDevice } from './farm.ts';
import type { DeviceIdentity } from './identity.ts';

/** How long a handshake may take. */
const HANDSHAKE_MS = 10_000;

/**
 * Options of the listener for devices of the farm: both sides show certificates, and only those in the roster pass.
 * Give the server to `guardPeers` too.
 */
export function peerServerOptions(identity: DeviceIdentity, roster: Roster): TlsOptions {
  return { ...apiServerOptions(identity), ...peerAuthorities(roster) };
}

/** Options of the listener for people and tools, who show a token, and for devices that are not yet in the farm. */
export function apiServerOptions(identity: DeviceIdentity): TlsOptions {
  return { key: identity.key, cert: identity.certificate, minVersion: 'TLSv1.3', handshakeTimeout: HANDSHAKE_MS };
}

function peerAuthorities(roster: Roster) {
  return { requestCert: true, rejectUnauthorized: true, ca: roster.devices.map(({ certificate }) => certificate) } as const;
}

/** Keeps who is connected to a peer listener in step with the roster. */
export interface PeerGuard {
  /** From now on this roster counts: who is not in it is cut off at once, and neither a certificate nor a ticket lets it in again. */
  update(roster: Roster): void;
  /** The device at the other end, as the roster has it now; undefined when it is not in it. Give it an `IncomingMessage`'s socket. */
  deviceOf(socket: object): RosterDevice | undefined;
}

/**
 * Attach it before the server listens. TLS has then checked that the certificate is trusted; this checks, for every
 * connection, that its *key* is one of the roster's. That also holds when a session is resumed with a ticket, which skips
 * the check of the certificate, and when the roster changed while the handshake was under way.
 */
export function guardPeers(server: Server, identity: DeviceIdentity, initial: Roster): PeerGuard {
  let roster = initial;
  const devices = new Map<object, NodeId>();

  // First in line: who must not be here is gone before an HTTP parser sees it.
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    const certificate = socket.getPeerX509Certificate();
    const id = socket.authorized && certificate !== undefined ? nodeIdOf(certificate) : undefined;
    if (id === undefined || findDevice(roster, id) === undefined) {
      socket.destroy();
      return;
    }
    devices.set(socket, id);
    socket.once('close', () => devices.delete(socket));
  });

  return {
    update(changed) {
      const before = roster;
      roster = changed;
      server.setSecureContext(peerServerOptions(identity, changed));
      // What a device may do was settled when it connected: with other roles it connects anew.
      for (const [socket, id] of devices) if (rolesOf(changed, id) !== rolesOf(before, id)) (socket as TLSSocket).destroy();
    },
    deviceOf(socket) {
      const id = devices.get(socket);
      return id === undefined ? undefined : findDevice(roster, id);
    },
  };
}

/** Undefined for a device that is not in it. */
function rolesOf(roster: Roster, id: NodeId): string | undefined {
  return findDevice(roster, id)?.roles.join();
}

/**
 * Options for connecting to a device whose certificate is known; the name it is reached by does not matter, its key does.
 * @param identity shown to a peer listener; leave it out for an API listener
 */
export function pinnedClientOptions(certificate: string, identity?: DeviceIdentity): ConnectionOptions {
  const pin = spkiFingerprint(certificate);
  return {
    ca: [certificate],
    minVersion: 'TLSv1.3',
    checkServerIdentity: (_host, shown) => checkPin(shown, pin),
    ...(identity === undefined ? {} : { key: identity.key, cert: identity.certificate }),
  };
}

function checkPin(shown: PeerCertificate, pin: string): Error | undefined {
  if (shown.raw !== undefined && spkiFingerprint(shown.raw) === pin) return undefined;
  return new LanyardError({ code: 'FORBIDDEN', message: 'The key of whoever answers is not the one that was pinned.' });
}

/**
 * Looks at the certificate of whoever answers, in a handshake that always fails: no authority is trusted in it, so the runtime
 * itself tears the connection down before a byte could be sent or read. Compare the id, then connect anew with
 * `pinnedClientOptions`. (The `keylog` event is the documented one that comes while a handshake goes on; its secrets
 * are not looked at.)
 * @throws LanyardError UNAVAILABLE when nobody answers in TLS 1.3, INVALID when the certificate is not that of a device
 */
export async function fetchCertificate(host: string, port: number): Promise<{ readonly id: NodeId; readonly certificate: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate>();
  const socket = connect({ host, port, minVersion: 'TLSv1.3', ca: [] });
  const timer = setTimeout(() => socket.destroy(new Error('it took too long')), HANDSHAKE_MS);
  let shown: X509Certificate | undefined;
  let failure: Error | undefined;
  socket.on('keylog', () => {
    shown ??= socket.getPeerX509Certificate();
  });
  // Not to be expected; should a runtime take no authority for any, it must not go on.
  socket.on('secureConnect', () => socket.destroy());
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', () => {
    clearTimeout(timer);
    if (shown !== undefined) resolve(shown);
    else reject(unavailable(host, port, failure));
  });
  const certificate = (await promise).toString();
  return { id: readDeviceCertificate(certificate).id, certificate };
}

/**
 * The certificate of whoever answers, when its key has the fingerprint that an invite or a connection string carries.
 * @throws LanyardError FORBIDDEN when it has another, and as `fetchCertificate`
 */
export async function fetchPinnedCertificate(host: string, port: number, fingerprint: string): Promise<string> {
  const { id, certificate } = await fetchCertificate(host, port);
  if (id === fingerprint) return certificate;
  throw new LanyardError({
    code: 'FORBIDDEN',
    message: `Whoever answers at ${host}:${port} has another key than the one expected.`,
    hint: 'Another machine may have this address now, or somebody pretends to be the coordinator. Ask for a new invite.',
  });
}

function unavailable(host: string, port: number, cause: Error | undefined): LanyardError {
  return new LanyardError(
    { code: 'UNAVAILABLE', message: `Nobody answers in TLS 1.3 at ${host}:${port}${cause === undefined ? '' : `: ${cause.message}`}.` },
    { cause },
  );
}
