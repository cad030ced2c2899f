import { networkInterfaces } from 'node:os';
import type { Announcement, Discovery } from '../ports/discovery.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';
import { assertSound } from './announcement.ts';
import { chooseInterfaces, type InterfaceChoice, type InterfaceTable } from './interfaces.ts';
import { createLink, type Link, type LinkOptions } from './link.ts';
import { MULTICAST_DNS_PORT } from './multicast-socket.ts';
import type { Heard } from './responses.ts';
import { createSightings, type Sightings } from './sightings.ts';

export interface DiscoveryTimes {
  /** How often the machine's interfaces are looked at, and one that failed is tried again. */
  readonly rescanMs: number;
  /** How often everyone is asked who they are. */
  readonly queryMs: number;
  /** A node that was not heard for so long is forgotten; some queries long, as each may be lost or left to others. */
  readonly forgetMs: number;
}

export interface DiscoveryOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 to 1. */
  readonly random?: () => number;
  /** Names and networks of the interfaces to use; undefined: chosen by `chooseInterfaces`. */
  readonly only?: readonly string[] | undefined;
  readonly times?: Partial<DiscoveryTimes>;
  /** Where the interfaces are read, and the port that is used: for tests without a network of their own. */
  readonly readInterfaces?: () => InterfaceTable;
  readonly port?: number;
}

const TIMES: DiscoveryTimes = { rescanMs: 5_000, queryMs: 20_000, forgetMs: 90_000 };
/** A timer that is so late was asleep with the machine; sockets may have lost their groups without a word. */
const ASLEEP_MS = 30_000;

/** Announces and browses by multicast DNS on every interface that leads to a local network. */
export function createDiscovery(options: DiscoveryOptions): Discovery {
  const { clock, logger } = options;
  const times = { ...TIMES, ...options.times };
  const sightings = createSightings();
  const listeners = new Set<() => void>();
  let announcement: Announcement | null = null;
  let stopTimer: Dispose = () => {};
  let closed = false;

  const schedule = (): void => {
    stopTimer();
    if (closed) return;
    const dueMs = Math.min(links.nextMs(), sightings.nextExpiryMs() ?? Number.POSITIVE_INFINITY);
    stopTimer = clock.after(Math.max(0, dueMs - clock.elapsedMs()), turn);
  };
  const changed = (): void => {
    if (closed) return;
    schedule();
    for (const listener of [...listeners]) listener();
  };
  const links = createLinks({
    clock,
    logger,
    random: options.random ?? Math.random,
    port: options.port ?? MULTICAST_DNS_PORT,
    queryMs: times.queryMs,
    rescanMs: times.rescanMs,
    choose: () => chooseInterfaces((options.readInterfaces ?? networkInterfaces)(), process.platform, options.only),
    announcement: () => announcement,
    changed,
    hears: createHearing({
      clock,
      logger,
      sightings,
      forgetMs: times.forgetMs,
      own: () => announcement,
      isOwn: (address) => links.has(address),
      schedule,
      changed,
    }),
  });
  const turn = (): void => {
    const news = links.turn();
    const forgot = sightings.expire(clock.elapsedMs());
    if (news || forgot) changed();
    else schedule();
  };

  turn();
  return {
    announce(next) {
      if (next !== null) assertSound(next);
      announcement = next;
      links.announce();
    },
    found: () => sightings.found().filter((node) => node.announcement.nodeId !== announcement?.nodeId),
    interfaces: () => links.interfaces(),
    watch(listener) {
      // A function of its own: the same listener may be given twice.
      const entry = () => listener();
      listeners.add(entry);
      return () => listeners.delete(entry);
    },
    async close() {
      closed = true;
      stopTimer();
      await links.close();
    },
  };
}

interface HearingOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sightings: Sightings;
  readonly forgetMs: number;
  readonly own: () => Announcement | null;
  /** Whether an address is one of this machine's. */
  readonly isOwn: (address: string) => boolean;
  readonly schedule: () => void;
  readonly changed: () => void;
}

/** @returns what takes in a response */
function createHearing(options: HearingOptions): LinkOptions['hears'] {
  const { clock, sightings } = options;
  let warned = false;

  const warnOfTwin = (address: string): void => {
    if (warned || options.isOwn(address)) return;
    warned = true;
    options.logger.warn('another machine announces the id of this node: it is a copy of this install, or it lies', { address });
  };

  return (heard: Heard, address, interfaceName) => {
    const now = { wallMs: clock.wallMs(), elapsedMs: clock.elapsedMs() };
    let news = false;
    for (const { label, announcement, ttlMs } of heard.announced) {
      if (announcement.nodeId === options.own()?.nodeId) warnOfTwin(address);
      else if (sightings.see({ label, announcement, address, interface: interfaceName }, Math.min(ttlMs, options.forgetMs), now))
        news = true;
    }
    for (const label of heard.goodbyes) sightings.goodbye(label, address, now.elapsedMs);
    if (news) options.changed();
    else options.schedule();
  };
}

interface LinksOptions extends LinkOptions {
  readonly rescanMs: number;
  readonly choose: () => readonly InterfaceChoice[];
}

/** The links of all interfaces that are used; compared with the machine's interfaces now and then, as these come and go. */
function createLinks(options: LinksOptions) {
  const { clock } = options;
  const links = new Map<string, Link>();
  const closing = new Set<Promise<void>>();
  let choices: readonly InterfaceChoice[] = [];
  let nextScanMs = clock.elapsedMs();

  const close = (link: Link): void => {
    const done: Promise<void> = link.close().finally(() => closing.delete(done));
    closing.add(done);
  };

  /** @returns whether the choice is another one than before */
  const scan = (): boolean => {
    const before = JSON.stringify(choices);
    choices = options.choose();
    const used = new Map(choices.filter((choice) => choice.used).map((choice) => [keyOf(choice), choice]));
    for (const [key, link] of links) {
      if (used.has(key)) continue;
      links.delete(key);
      close(link);
    }
    for (const [key, choice] of used) {
      const link = links.get(key) ?? createLink(choice, options);
      links.set(key, link);
      link.open();
    }
    nextScanMs = clock.elapsedMs() + options.rescanMs;
    return JSON.stringify(choices) !== before;
  };

  return {
    /** Does what is due. @returns whether the interfaces are others than before */
    turn(): boolean {
      const lateMs = clock.elapsedMs() - nextScanMs;
      if (lateMs > ASLEEP_MS) for (const link of links.values()) link.release();
      const news = lateMs >= 0 && scan();
      for (const link of links.values()) link.turn();
      return news;
    },
    nextMs: () => Math.min(nextScanMs, ...[...links.values()].map((link) => link.nextQueryMs() ?? nextScanMs)),
    announce(): void {
      for (const link of links.values()) link.announce();
    },
    has: (address: string): boolean => choices.some((choice) => choice.address === address),
    interfaces: () =>
      choices.map((choice) => {
        const state = links.get(keyOf(choice))?.state() ?? { failure: null, heardItself: false, heardOthers: false };
        return { name: choice.name, address: choice.address, used: choice.used, reason: choice.reason, ...state };
      }),
    async close(): Promise<void> {
      for (const link of links.values()) close(link);
      await Promise.all(closing);
    },
  };
}

/** An interface whose address or network changed is another one. */
const keyOf = (choice: InterfaceChoice): string => `${choice.name} ${choice.cidr ?? ''}`;
