import type { Announcement, FoundNode } from '../ports/discovery.ts';

/** What was heard of other nodes, and until when it counts. */

export interface Sighting {
  /** The name of the service; a goodbye names nothing else. */
  readonly label: string;
  readonly announcement: Announcement;
  /** Where the packet came from. Addresses that a packet merely names are not looked at. */
  readonly address: string;
  readonly interface: string;
}

/** When something was heard. */
export interface Moment {
  readonly wallMs: number;
  readonly elapsedMs: number;
}

export interface Sightings {
  /** Takes in what was heard, good for `lifeMs`. @returns whether `found` is now another answer, times apart */
  see(sighting: Sighting, lifeMs: number, now: Moment): boolean;
  /** The service's records were taken back from this address: it ends in a second, unless it is announced again by then. */
  goodbye(label: string, address: string, elapsedMs: number): void;
  /** Forgets what is too old. @returns whether anything was */
  expire(elapsedMs: number): boolean;
  /** When the next one will be too old. */
  nextExpiryMs(): number | undefined;
  found(): readonly FoundNode[];
}

/** More than this many nodes and addresses are not remembered: the first ones stay. */
const MAX_SIGHTINGS = 1_000;
/** Nodes at one address; a machine has one or two, and a flood from one address must not push out the others. */
const MAX_PER_ADDRESS = 8;
/**
 * A record that is taken back lives one more second (RFC 6762, section 10.1), so that an announcement which changes, and
 * for that is taken back and made again, does not vanish in between.
 */
const GOODBYE_MS = 1_000;

interface Entry extends Sighting {
  readonly wallMs: number;
  readonly expiresMs: number;
}

export function createSightings(): Sightings {
  const entries = new Map<string, Entry>();

  const hasRoomFor = (address: string): boolean => {
    if (entries.size >= MAX_SIGHTINGS) return false;
    let there = 0;
    for (const entry of entries.values()) if (entry.address === address) there += 1;
    return there < MAX_PER_ADDRESS;
  };

  return {
    see(sighting, lifeMs, now) {
      const key = `${sighting.announcement.nodeId} ${sighting.address} ${sighting.interface}`;
      const before = entries.get(key);
      if (before === undefined && !hasRoomFor(sighting.address)) return false;
      // Removed first, so that the map's order is that of hearing.
      entries.delete(key);
      entries.set(key, { ...sighting, wallMs: now.wallMs, expiresMs: now.elapsedMs + lifeMs });
      return before === undefined || identity(before.announcement) !== identity(sighting.announcement);
    },
    goodbye(label, address, elapsedMs) {
      for (const [key, entry] of entries) {
        if (entry.label !== label || entry.address !== address) continue;
        entries.set(key, { ...entry, expiresMs: Math.min(entry.expiresMs, elapsedMs + GOODBYE_MS) });
      }
    },
    expire(elapsedMs) {
      const before = entries.size;
      for (const [key, entry] of entries) if (entry.expiresMs <= elapsedMs) entries.delete(key);
      return entries.size < before;
    },
    nextExpiryMs() {
      let next: number | undefined;
      for (const { expiresMs } of entries.values()) if (next === undefined || expiresMs < next) next = expiresMs;
      return next;
    },
    found: () => group([...entries.values()].reverse()),
  };
}

/** Equal for announcements that say the same. */
const identity = (announcement: Announcement): string => JSON.stringify(announcement);

/**
 * One entry for all addresses that say exactly the same. Another announcement of the same node id stands apart: a copied
 * id must not change what is shown of the real node.
 */
function group(newestFirst: readonly Entry[]): readonly FoundNode[] {
  const nodes = Map.groupBy(newestFirst, (entry) => identity(entry.announcement));
  return [...nodes.values()]
    .flatMap(([newest, ...rest]) =>
      newest === undefined
        ? []
        : {
            announcement: newest.announcement,
            addresses: distinct([newest, ...rest].map((entry) => entry.address)),
            interfaces: distinct([newest, ...rest].map((entry) => entry.interface)),
            lastSeenAt: newest.wallMs,
          },
    )
    .sort((one, other) => order(one) - order(other) || compare(one, other));
}

const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)];

/** Coordinators first. */
const order = (node: FoundNode): number => (node.announcement.roles.includes('coordinator') ? 0 : 1);

function compare(one: FoundNode, other: FoundNode): number {
  const [a, b] = [sortKey(one), sortKey(other)];
  return a < b ? -1 : a > b ? 1 : 0;
}

const sortKey = ({ announcement }: FoundNode): string => `${announcement.farmName}\0${announcement.nodeName}\0${identity(announcement)}`;
