import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { DiscoveryInterface, FoundNode } from '../ports/discovery.ts';
import type { Clock } from '../ports/system.ts';
import { createDiscovery, type DiscoveryOptions } from './mdns.ts';

/** The measurements behind `lanyard doctor` and `lanyard discover`. Each ends within its time, and never rejects. */

export interface PortReading {
  /** What listens there: `API`, `peer`. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** null: a connection was accepted. */
  readonly failure: string | null;
}

export type ClockReading =
  | {
      /** The other clock less this one. */
      readonly differenceMs: number;
      readonly uncertaintyMs: number;
    }
  | { readonly failure: string };

/** Connects once. The listener sees a connection that ends at once. */
export function probePort(name: string, host: string, port: number, timeoutMs: number): Promise<PortReading> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (failure: string | null): void => {
      socket.destroy();
      resolve({ name, host, port, failure });
    };
    socket.setTimeout(timeoutMs, () => end('no answer'));
    socket.once('connect', () => end(null));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

/** Compares clocks. `readOther` asks the other machine for its time, ms since 1970, which it gives in steps of `stepMs`. */
export async function probeClock(clock: Clock, readOther: () => Promise<number>, stepMs: number): Promise<ClockReading> {
  const startMs = clock.elapsedMs();
  try {
    const otherMs = await readOther();
    if (!Number.isFinite(otherMs)) return { failure: 'it gave no time' };
    const tripMs = clock.elapsedMs() - startMs;
    // Read somewhere between asking and answer, and cut off to its step: the middles of both are the best guess.
    const differenceMs = otherMs + stepMs / 2 - (clock.wallMs() - tripMs / 2);
    return { differenceMs: Math.round(differenceMs), uncertaintyMs: Math.ceil((tripMs + stepMs) / 2) };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

/** Compares clocks by the Date header of whatever answer `GET url` gets. @param tls whose key must answer, for https */
export function probeHttpClock(clock: Clock, url: string, timeoutMs: number, tls: ConnectionOptions = {}): Promise<ClockReading> {
  return probeClock(clock, () => readHttpDate(url, timeoutMs, tls), DATE_STEP_MS);
}

export interface LanReading {
  readonly interfaces: readonly DiscoveryInterface[];
  readonly found: readonly FoundNode[];
}

/** Looks around for `lookMs` without announcing anything: two to four seconds show whoever is there. */
export async function probeLan(options: DiscoveryOptions, lookMs: number): Promise<LanReading> {
  const discovery = createDiscovery(options);
  try {
    await new Promise<void>((resolve) => void options.clock.after(lookMs, resolve));
    return { interfaces: discovery.interfaces(), found: discovery.found() };
  } finally {
    await discovery.close();
  }
}

/** Seconds, the step of the Date header (RFC 9110, section 5.6.7). */
const DATE_STEP_MS = 1_000;

function readHttpDate(url: string, timeoutMs: number, tls: ConnectionOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    const asking = request(url, { ...tls, timeout: timeoutMs, agent: false }, (response) => {
      response.destroy();
      resolve(Date.parse(response.headers.date ?? ''));
    });
    asking.once('timeout', () => asking.destroy(new Error('no answer')));
    asking.once('error', reject);
    asking.end();
  });
}
