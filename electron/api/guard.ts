import { hostname, networkInterfaces } from 'node:os';
import { LanyardError } from '../../shared/errors.ts';

/** Sent with every answer. A dashboard loads nothing from elsewhere and is framed by nobody; pictures and videos that it fetched with its token are `blob:`. */
export const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Which Host headers name this coordinator: loopback, the addresses it listens on and, when others can reach it, the machine's name.
 * A page that makes its own name point here (DNS rebinding) is found out by the name.
 */
export interface HostGuard {
  /** An address that the server listens on. */
  listenOn(address: string): void;
  /** @param host as a Host header or a URL's `host` has it, with or without a port */
  isOwn(host: string | undefined): boolean;
}

/** @param hostNames other names that this coordinator is reached by */
export function createHostGuard(hostNames: readonly string[] = []): HostGuard {
  const listening = new Set<string>();
  const named = new Set(hostNames.map((name) => name.toLowerCase()));
  return {
    listenOn(address) {
      listening.add(bracketed(address));
    },
    isOwn(host) {
      const name = hostName(host);
      if (name === undefined) return false;
      if (LOOPBACK.has(name)) return true;
      if (listening.has(name) || named.has(name)) return true;
      if ([...listening].every(isLoopback)) return false;
      const own = hostname().toLowerCase();
      if (name === own || name === `${own}.local`) return true;
      return (listening.has('0.0.0.0') || listening.has('[::]')) && ownAddresses().has(name);
    },
  };
}

/**
 * @throws FORBIDDEN for a Host that is not this coordinator's, or an Origin other than the page that this server itself delivered.
 * Programs send no Origin; browsers send one with whatever another page asks for.
 */
export function checkCaller(
  guard: HostGuard,
  headers: { readonly host?: string | undefined; readonly origin?: string | undefined },
  protocol: 'http' | 'https',
): void {
  if (!guard.isOwn(headers.host))
    throw new LanyardError({
      code: 'FORBIDDEN',
      message: 'the Host header does not name this coordinator',
      hint: 'use its address, its host name, or localhost; other names of it go into the setting hostNames',
    });
  if (headers.origin !== undefined && headers.origin.toLowerCase() !== `${protocol}://${headers.host}`.toLowerCase())
    throw new LanyardError({ code: 'FORBIDDEN', message: 'requests of pages from elsewhere are refused' });
}

/** Whether an address, IPv6 in brackets, is one that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.has(address) || address.startsWith('127.');
}

/** Lower case, without the port; IPv6 in brackets. */
function hostName(host: string | undefined): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host ?? '');
  return match?.[1]?.toLowerCase().replace(/\.$/, '');
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address.toLowerCase();
}

function ownAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces())
      .flat()
      .map((one) => bracketed(one?.address ?? '')),
  );
}
