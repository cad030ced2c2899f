import { OWNER_CONDITIONS, parseLadder, parseSchedule } from '../../shared/owner.ts';
import type { WorkerSettings } from '../../shared/settings.ts';
import { type OwnerDecision, type OwnerRules, type OwnerSignals, type OwnerState, ownerStep } from '../core/owner.ts';
import type { OwnerPause, OwnerSenses } from '../ports/machine.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';

/** How often the machine is looked at (ms). */
const LOOK_EVERY_MS = 5_000;

export interface OwnerWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly senses: OwnerSenses;
  readonly pause: OwnerPause;
  readonly rules: OwnerRules;
  /** CPU time that the farm's tasks on this machine have used in all, ms; undefined where that cannot be told. */
  readonly tasksCpuMs: () => Promise<number | undefined>;
  readonly decided: (decision: OwnerDecision) => void;
}

/** Looks at what the owner does with the machine, and tells each new decision. */
export interface OwnerWatch {
  /** Looks now: something has happened. Resolves when what follows from it is decided. */
  look(): Promise<void>;
  /** Goes by other rules from now on, and looks. */
  follow(rules: OwnerRules): Promise<void>;
  close(): void;
}

/** @returns once it has looked for the first time */
export async function startOwnerWatch(options: OwnerWatchOptions): Promise<OwnerWatch> {
  const watch = new Watch(options);
  await watch.look();
  return watch;
}

class Watch implements OwnerWatch {
  private readonly options: OwnerWatchOptions;
  private readonly state: OwnerState = new Map();
  private decision: OwnerDecision = { level: 'run', availability: 'available', nextMs: undefined };
  private load: { readonly atMs: number; readonly busyMs: number; readonly tasksMs: number } | undefined;
  private looking: Promise<void> | undefined;
  private again = false;
  private timer: Dispose = () => undefined;
  private closed = false;
  private rules: OwnerRules;

  constructor(options: OwnerWatchOptions) {
    this.options = options;
    this.rules = options.rules;
  }

  follow(rules: OwnerRules): Promise<void> {
    this.rules = rules;
    return this.look();
  }

  /** One look at a time; what happens during one is looked at after it. */
  look(): Promise<void> {
    if (this.looking !== undefined) {
      this.again = true;
      return this.looking;
    }
    this.looking = this.lookAll().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  close(): void {
    this.closed = true;
    this.timer();
  }

  private async lookAll(): Promise<void> {
    do {
      this.again = false;
      await this.lookOnce().catch((error: Error) =>
        this.options.logger.warn('what the owner does with this machine could not be looked at', { error: error.message }),
      );
    } while (this.again && !this.closed);
    this.timer();
    if (this.closed) return;
    const { clock } = this.options;
    const untilNextMs = (this.decision.nextMs ?? Number.POSITIVE_INFINITY) - clock.elapsedMs();
    this.timer = clock.after(Math.min(LOOK_EVERY_MS, Math.max(0, untilNextMs)), () => void this.look());
  }

  private async lookOnce(): Promise<void> {
    const { clock, logger } = this.options;
    const { rules } = this;
    const signals = await this.signals();
    if (this.closed) return;
    const before = this.decision;
    this.decision = ownerStep(this.state, rules, signals, clock.elapsedMs());
    const { level, availability } = this.decision;
    if (level === before.level && availability === before.availability) return;
    logger.info('the owner of this machine goes first', { level, availability });
    this.options.decided(this.decision);
  }

  /** Only what a rule asks for is looked at: some of it costs a program that is started. */
  private async signals(): Promise<OwnerSignals> {
    const { senses } = this.options;
    const { rules } = this;
    const counts = Object.fromEntries(OWNER_CONDITIONS.map((condition) => [condition, rules.ladders[condition].length > 0]));
    const [userIdleMs, onBattery, othersPercent, paused] = await Promise.all([
      counts.active === true ? senses.userIdleMs() : undefined,
      counts.battery === true ? senses.onBattery() : undefined,
      counts.busy === true ? this.othersPercent() : undefined,
      counts.paused === true ? this.isPaused() : false,
    ]);
    return { minuteOfWeek: senses.minuteOfWeek(), userIdleMs, onBattery, othersPercent, paused };
  }

  private async isPaused(): Promise<boolean> {
    const { clock, pause } = this.options;
    const until = await pause.until();
    if (until === undefined || until === null) return until === null;
    if (until > clock.wallMs()) return true;
    await pause.set(undefined);
    return false;
  }

  /** What all use, less what the tasks use, since the last look. */
  private async othersPercent(): Promise<number | undefined> {
    const { clock, senses } = this.options;
    const tasksMs = await this.options.tasksCpuMs();
    const now = tasksMs === undefined ? undefined : { atMs: clock.elapsedMs(), busyMs: senses.cpuBusyMs(), tasksMs };
    const before = this.load;
    this.load = now;
    if (now === undefined || before === undefined || now.atMs <= before.atMs) return undefined;
    const othersMs = now.busyMs - before.busyMs - Math.max(0, now.tasksMs - before.tasksMs);
    return Math.max(0, (100 * othersMs) / ((now.atMs - before.atMs) * senses.cores));
  }
}

/** The rules that the settings of a machine ask for. */
export function ownerRules(settings: WorkerSettings): OwnerRules {
  return {
    schedule: must(parseSchedule(settings.schedule)),
    ladders: {
      schedule: must(parseLadder(settings.outsideSchedule)),
      active: must(parseLadder(settings.whenActive)),
      battery: must(parseLadder(settings.whenOnBattery)),
      busy: must(parseLadder(settings.whenBusy)),
      paused: must(parseLadder(settings.whenPaused)),
    },
    idleAfterMs: settings.idleAfterMs,
    busyPercent: settings.busyPercent,
    clearMs: settings.ownerClearMs,
  };
}

/** The settings were checked when they were read. */
function must<T>(parsed: T | string): T {
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}
