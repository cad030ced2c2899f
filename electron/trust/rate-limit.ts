import { LanyardError } from '../../shared/errors.ts';
import type { Clock } from '../ports/system.ts';

export interface RateLimitOptions {
  readonly clock: Pick<Clock, 'elapsedMs'>;
  /** What is counted, for the refusal: `Too many ${what}.` */
  readonly what: string;
  readonly windowMs: number;
  /** Most of one address in a window. */
  readonly perAddress: number;
  /** Most of all addresses together: an attacker on a LAN has as many as it likes. */
  readonly inAll: number;
}

/** Counts what may be guesses, in windows of the steady clock. Holds at most `inAll` addresses. */
export interface RateLimit {
  /** @throws LanyardError TOO_MANY when nothing more may be counted for this address, or for anybody, in this window */
  check(address: string): void;
  count(address: string): void;
}

export function createRateLimit({ clock, what, windowMs, perAddress, inAll }: RateLimitOptions): RateLimit {
  let windowEndMs = Number.NEGATIVE_INFINITY;
  let total = 0;
  const counts = new Map<string, number>();

  const renew = () => {
    const nowMs = clock.elapsedMs();
    if (nowMs < windowEndMs) return;
    windowEndMs = nowMs + windowMs;
    total = 0;
    counts.clear();
  };

  return {
    check(address) {
      renew();
      if (total < inAll && (counts.get(network(address)) ?? 0) < perAddress) return;
      const seconds = Math.ceil((windowEndMs - clock.elapsedMs()) / 1000);
      throw new LanyardError({ code: 'TOO_MANY', message: `Too many ${what}.`, hint: `Try again in ${seconds} s.` });
    },
    count(address) {
      renew();
      total += 1;
      if (counts.size < inAll) counts.set(network(address), (counts.get(network(address)) ?? 0) + 1);
    },
  };
}

/** One host has a whole /64 of IPv6 addresses to speak from, and an IPv4 address may arrive in IPv6 clothes. */
export function network(address: string): string {
  const plain = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.replace(/%.*$/, '').split('::', 2);
  const left = head.split(':').filter(Boolean);
  const right = tail === undefined ? [] : tail.split(':').filter(Boolean);
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return [...left, ...zeros, ...right]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
