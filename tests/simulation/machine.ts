import type { Now } from '../../electron/core/events.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** A computer: two clocks, naps, and lives that end in crashes. */
export class Machine {
  private readonly timeline: Timeline;
  private readonly random: Random;
  private steadyOffsetMs: number;
  private wallOffsetMs = 1_700_000_000_000;
  private asleepUntilMs = 0;
  private life = 0;

  constructor(timeline: Timeline, random: Random) {
    this.timeline = timeline;
    this.random = random;
    this.steadyOffsetMs = random.whole(0, 1_000_000);
  }

  now(): Now {
    return { wallMs: this.timeline.nowMs + this.wallOffsetMs, elapsedMs: this.timeline.nowMs + this.steadyOffsetMs };
  }

  /** Does it in this life, once the machine is awake; not at all when it crashes before. */
  after(delayMs: number, action: () => void): void {
    const { life } = this;
    this.timeline.after(delayMs, () =>
      this.whenAwake(() => {
        if (life === this.life) action();
      }),
    );
  }

  /** Does it now, or at the end of the nap; a sleeping machine's network card keeps nothing in order but what is planned here. */
  whenAwake(action: () => void): void {
    if (this.timeline.nowMs >= this.asleepUntilMs) action();
    else this.timeline.at(this.asleepUntilMs, () => this.whenAwake(action));
  }

  sleep(durationMs: number): void {
    this.asleepUntilMs = this.timeline.nowMs + durationMs;
  }

  get asleep(): boolean {
    return this.timeline.nowMs < this.asleepUntilMs;
  }

  /** The wall clock is set, forwards or backwards. */
  jump(byMs: number): void {
    this.wallOffsetMs += byMs;
  }

  /** All that was planned is gone, and the steady clock begins somewhere else. */
  crash(): void {
    this.life++;
    this.steadyOffsetMs = this.random.whole(0, 1_000_000);
  }
}
