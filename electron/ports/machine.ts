import type { Capacity, Metrics } from '../../shared/node.ts';
import type { Receipt } from '../../shared/receipt.ts';

export interface Machine {
  readonly os: string;
  readonly arch: string;
  readonly hostName: string;
  /** All of it, before the owner's limits. */
  capacity(): Promise<Capacity>;
  metrics(): Promise<Metrics>;
}

/** What a machine can tell of what its owner does with it. */
export interface OwnerSenses {
  /** Since the last input of a person, ms; undefined when nobody can tell. */
  userIdleMs(): Promise<number | undefined>;
  /** Undefined: it has no battery, or does not tell. */
  onBattery(): Promise<boolean | undefined>;
  /** Time that all cores together were busy since the machine started, ms. */
  cpuBusyMs(): number;
  readonly cores: number;
  /** Of the week from Monday 00:00, by the machine's own wall clock. */
  minuteOfWeek(): number;
}

/** Brings machines up and down that are not there to be asked. */
export interface MachinePower {
  /** Nobody answers: whether it worked shows when the machine is there. */
  wake(macs: readonly string[]): Promise<void>;
  /** Has a machine made; it joins the farm by itself. */
  make(machine: string): Promise<void>;
  remove(machine: string): Promise<void>;
}

/** What ran on this machine, kept on it. */
export interface Receipts {
  /** @throws LanyardError DISK_FULL */
  add(receipt: Receipt): Promise<void>;
  /** The newest, newest first. */
  list(limit: number): Promise<readonly Receipt[]>;
  /** Resolves when all are on disk. */
  close(): Promise<void>;
}

/** The owner's own pause, which outlives a restart. */
export interface OwnerPause {
  /** Wall clock at which it ends, ms since 1970; null: when the owner says so; undefined: there is none. */
  until(): Promise<number | null | undefined>;
  set(until: number | null | undefined): Promise<void>;
}
