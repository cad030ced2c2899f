import type { FarmId, NodeId } from '../../shared/ids.ts';
import type { Dispose } from './system.ts';

/** What a node says of itself on the local network. Nobody has proved any of it: it is a hint where to knock. */
export interface Announcement {
  readonly farmId: FarmId;
  readonly farmName: string;
  readonly nodeId: NodeId;
  readonly nodeName: string;
  readonly roles: readonly ('coordinator' | 'worker')[];
  /** The program's version. */
  readonly version: string;
  /** Ports it listens on; null: it does not. */
  readonly ports: { readonly api: number | null; readonly peer: number | null };
}

export interface FoundNode {
  readonly announcement: Announcement;
  /** Where the announcement came from, heard last first. */
  readonly addresses: readonly string[];
  /** This machine's interfaces that it was heard on. */
  readonly interfaces: readonly string[];
  /** Wall clock, ms since 1970. */
  readonly lastSeenAt: number;
}

/** One interface of this machine, and what discovery makes of it. */
export interface DiscoveryInterface {
  readonly name: string;
  /** Its IPv4 address; null without one. */
  readonly address: string | null;
  readonly used: boolean;
  /** A sentence: why it is used, or ignored. */
  readonly reason: string;
  /** Why multicast cannot be opened there at the moment; null when it stands, or is not used. */
  readonly failure: string | null;
  /** Our own multicast came back to us. */
  readonly heardItself: boolean;
  /** Somebody else's multicast arrived, of whatever program. */
  readonly heardOthers: boolean;
}

/** Other nodes on the local network, by multicast DNS. Says nothing about who lives: heartbeats do. */
export interface Discovery {
  /** Announces this node, and again when something changed; null takes it back. */
  announce(announcement: Announcement | null): void;
  /** Everyone but this node, by farm and node. Two entries of one node id mean that somebody lies or was cloned. */
  found(): readonly FoundNode[];
  interfaces(): readonly DiscoveryInterface[];
  /** Calls back whenever `found` or `interfaces` would answer differently (times apart). */
  watch(listener: () => void): Dispose;
  /** Says goodbye and ends; resolves when the goodbye has left. */
  close(): Promise<void>;
}
