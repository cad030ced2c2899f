import { isIPv4, isIPv6 } from 'node:net';
import { LanyardError } from '../../shared/errors.ts';

/** An address that a person typed. */
export interface ManualAddress {
  /** A name, an IPv4 address, or an IPv6 address without brackets (with its zone, if it was given one). */
  readonly host: string;
  /** null: none was given. */
  readonly port: number | null;
  /** null: no scheme was given. */
  readonly scheme: 'http' | 'https' | null;
}

/** No domain name is longer (RFC 1035, section 2.3.4); with brackets, scheme and port some more. */
const MAX_LENGTH = 300;
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*\.?$/i;

/**
 * Reads `host`, `host:port`, `1.2.3.4:port`, `::1`, `[v6]`, `[v6]:port` and `http(s)://host:port/`.
 *
 * @throws LanyardError INVALID that says what is wrong
 */
export function parseAddress(text: string): ManualAddress {
  const typed = text.trim();
  if (typed.length === 0) throw refuse('It is empty.');
  if (typed.length > MAX_LENGTH) throw refuse('It is too long.');
  const [, scheme, rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(typed) ?? [];
  if (scheme === undefined) return { ...hostAndPort(rest), scheme: null };
  const lower = scheme.toLowerCase();
  if (lower !== 'http' && lower !== 'https') throw refuse(`It begins with ${lower}://, and only http:// and https:// are known.`);
  if (rest.includes('@')) throw refuse('It has a user name or password in it.');
  return { ...hostAndPort(rest.replace(/\/$/, '')), scheme: lower };
}

function hostAndPort(text: string): { host: string; port: number | null } {
  if (/[/?#]/.test(text)) throw refuse('It has a path; only a host and a port can be given.');
  if (isIPv6(text)) return { host: text, port: null };
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(text);
  if (bracketed !== null) {
    const host = bracketed[1] ?? '';
    if (!isIPv6(host)) throw refuse('There is no IPv6 address between the brackets.');
    return { host, port: parsePort(bracketed[2]) };
  }
  const [host = '', port, ...more] = text.split(':');
  if (more.length > 0) throw refuse('It has several colons but is no IPv6 address; one with a port is written [address]:port.');
  // Digits and dots alone are meant as an IPv4 address; `1.2.3` must not be looked up as a name.
  if (/^[\d.]+$/.test(host) ? !isIPv4(host) : !HOST_NAME.test(host)) throw refuse('It is no host name and no address.');
  return { host, port: parsePort(port) };
}

function parsePort(text: string | undefined): number | null {
  if (text === undefined) return null;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw refuse('The port is not a number from 1 to 65535.');
  return port;
}

function refuse(why: string): LanyardError {
  return new LanyardError({
    code: 'INVALID',
    message: `This is not an address. ${why}`,
    field: 'address',
    hint: 'Write a host name or an address, with :port if it is not the usual one, for example render-1.local:7420.',
  });
}
