import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ownerOf, usageOf } from './fairness.ts';
import { TestFarm } from './farm.fixture.ts';

/**
 * What fair shares promise, held against farms with random weights, slots, half-lives, arrivals and durations. One node of `slots` slots
 * serves all; an attempt costs one core and counts for its duration, or for the second that is counted in advance if that is longer. The
 * longest count is `longestMs` below. What an owner has had, by its weight and with what is forgotten left out, is its level.
 *
 * Two bounds follow from one rule: who is placed has the lowest level of all who wait. It is the argument of start-time fair queueing (Goyal,
 * Vin and Cheng, SIGCOMM 1996), for several slots and for tasks that are counted when they end.
 *
 * - **Lead.** Let two owners wait all the time since s, and look at t. When the first was last placed it was no higher than the second, which
 *   has not fallen since; what has risen it after that are its attempts under way, at most one a slot. So its lead is at most
 *   `slots * longestMs / weight`, or, where it was not placed since s, that and what is left of its lead at s.
 * - **Wait.** Let an owner wait from s until it is placed. Meanwhile no slot is free, so the others are served `slots` ms in each ms. Another owner
 *   is placed only while it is no higher than the one that waits, which rises by its own attempts under way alone. So each takes what it was
 *   behind, and a round of attempts that were placed last or were under way at s: in all `behind / slots + owners * longestMs`.
 */

const OWNERS = ['ann', 'bea', 'cid', 'dot'] as const;
const PREPAID_MS = 1_000;
/** For sums of thousands of floating-point numbers. */
const ROUNDING = 1 + 1e-9;

interface Scenario {
  readonly weights: readonly number[];
  readonly slots: number;
  readonly halfLifeMs: number;
  /** Attempts run as long as these, one after the other and over again. */
  readonly durations: readonly number[];
  readonly arrivals: readonly { readonly owner: number; readonly afterMs: number; readonly taskCount: number }[];
}

const scenario: fc.Arbitrary<Scenario> = fc
  .array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: OWNERS.length })
  .chain((weights) =>
    fc.record({
      weights: fc.constant(weights),
      slots: fc.integer({ min: 1, max: 4 }),
      halfLifeMs: fc.constantFrom(5_000, 60_000, 3_600_000, 1e12),
      durations: fc.array(fc.integer({ min: 100, max: 20_000 }), { minLength: 5, maxLength: 20 }),
      arrivals: fc.array(
        fc.record({
          owner: fc.integer({ min: 0, max: weights.length - 1 }),
          afterMs: fc.integer({ min: 0, max: 60_000 }),
          taskCount: fc.integer({ min: 1, max: 25 }),
        }),
        { minLength: 2, maxLength: 30 },
      ),
    }),
  );

/** A farm in which jobs arrive and attempts end, one event a turn. */
class Race {
  readonly world: TestFarm;
  readonly longestMs: number;
  /** Tasks by owner. */
  readonly waiting: number[];
  readonly running: number[];
  /** How long ended attempts ran in all, by owner (ms). */
  readonly served: number[];
  private readonly scenario: Scenario;
  private readonly underWay: { readonly attempt: string; readonly owner: number; readonly ms: number; readonly endsAtMs: number }[] = [];
  private jobs = 0;
  private placements = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    const { weights, slots, halfLifeMs, durations } = scenario;
    const ownerWeights = Object.fromEntries(weights.map((weight, at) => [OWNERS[at], weight]));
    this.world = new TestFarm({ ownerWeights, fairShareHalfLifeMs: halfLifeMs });
    this.world.join('ash', { cpu: slots, maxParallel: slots });
    this.longestMs = Math.max(PREPAID_MS, ...durations);
    this.waiting = weights.map(() => 0);
    this.running = weights.map(() => 0);
    this.served = weights.map(() => 0);
  }

  /** Runs until nothing is left to happen, or so many attempts have ended. @param turned after each turn, with the owner that was placed in it */
  run(turned: (placed: readonly number[]) => void, ends = Number.POSITIVE_INFINITY): void {
    const arrivals = [...this.scenario.arrivals];
    let nextAtMs = this.nowMs + (arrivals[0]?.afterMs ?? 0);
    for (let ended = 0; ended < ends; ) {
      const [arrival] = arrivals;
      const end = this.underWay[0];
      if (arrival !== undefined && (end === undefined || nextAtMs <= end.endsAtMs)) {
        this.goTo(nextAtMs);
        turned(this.submit(arrival.owner, arrival.taskCount));
        arrivals.shift();
        nextAtMs += arrivals[0]?.afterMs ?? 0;
      } else if (end !== undefined) {
        this.goTo(end.endsAtMs);
        turned(this.end());
        ended++;
      } else {
        return;
      }
    }
  }

  /** What an owner has had, by its weight. */
  level(owner: number): number {
    return usageOf(this.world.farm, ownerOf(this.world.farm, OWNERS[owner] as string)) / this.weight(owner);
  }

  weight(owner: number): number {
    return this.scenario.weights[owner] as number;
  }

  get nowMs(): number {
    return this.world.now.elapsedMs;
  }

  submit(owner: number, taskCount: number): number[] {
    this.jobs += 1;
    this.world.submit(this.jobs, { owner: OWNERS[owner] as string, taskCount });
    this.waiting[owner] = (this.waiting[owner] as number) + taskCount;
    return this.place();
  }

  private end(): number[] {
    const { attempt, owner, ms } = this.underWay.shift() as (typeof this.underWay)[number];
    this.world.end(attempt);
    this.running[owner] = (this.running[owner] as number) - 1;
    this.served[owner] = (this.served[owner] as number) + ms;
    return this.place();
  }

  /** Takes note of what this turn has placed. A free slot beside somebody who waits would be another fault. */
  private place(): number[] {
    const placed = this.world.of('assign').map(({ job, index, number }) => {
      const owner = OWNERS.indexOf(this.world.farm.jobs.get(job)?.owner.name as 'ann');
      const ms = this.scenario.durations[this.placements % this.scenario.durations.length] as number;
      this.placements += 1;
      this.waiting[owner] = (this.waiting[owner] as number) - 1;
      this.running[owner] = (this.running[owner] as number) + 1;
      this.underWay.push({ attempt: `${job}.${index}.${number}`, owner, ms, endsAtMs: this.nowMs + ms });
      return owner;
    });
    this.underWay.sort((one, other) => one.endsAtMs - other.endsAtMs);
    if (this.underWay.length < this.scenario.slots) expect(sum(this.waiting)).toBe(0);
    return placed;
  }

  private goTo(elapsedMs: number): void {
    const ms = elapsedMs - this.nowMs;
    this.world.now = { wallMs: this.world.now.wallMs + ms, elapsedMs };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((all, one) => all + one, 0);
}

test('of two owners who wait, neither is ahead of the other by more than its attempts under way', () => {
  const holds = (given: Scenario) => {
    const { slots, weights, halfLifeMs } = given;
    const race = new Race(given);
    const together = new Map<string, { readonly lead: number; readonly sinceMs: number }>();
    race.run(() => {
      for (const one of weights.keys())
        for (const other of weights.keys()) {
          const pair = `${one} ${other}`;
          if (one === other || race.waiting[one] === 0 || race.waiting[other] === 0) {
            together.delete(pair);
            continue;
          }
          const lead = race.level(one) - race.level(other);
          const begin = together.get(pair) ?? { lead, sinceMs: race.nowMs };
          together.set(pair, begin);
          const left = Math.max(0, begin.lead) * 2 ** ((begin.sinceMs - race.nowMs) / halfLifeMs);
          expect(lead).toBeLessThanOrEqual((left + (slots * race.longestMs) / race.weight(one)) * ROUNDING);
        }
    });
  };
  fc.assert(fc.property(scenario, holds), { numRuns: 60 });
});

test('nobody waits longer than the others are behind, and a round of attempts of each', () => {
  const holds = (given: Scenario) => {
    const { slots, weights, halfLifeMs } = given;
    const race = new Race(given);
    const longestWaitMs = (owner: number) => {
      const own = ((race.running[owner] as number) * race.longestMs * 2 ** (race.longestMs / halfLifeMs)) / race.weight(owner);
      const behind = [...weights.keys()]
        .filter((other) => other !== owner)
        .map((other) => race.weight(other) * Math.max(0, race.level(owner) + own - race.level(other)));
      return (sum(behind) / slots + weights.length * race.longestMs) * ROUNDING;
    };
    const waits = new Map<number, { readonly sinceMs: number; readonly mostMs: number }>();
    race.run((placed) => {
      for (const owner of weights.keys()) {
        const wait = waits.get(owner);
        if (wait !== undefined) expect(race.nowMs - wait.sinceMs).toBeLessThanOrEqual(wait.mostMs);
        if (race.waiting[owner] === 0) waits.delete(owner);
        else if (wait === undefined || placed.includes(owner)) waits.set(owner, { sinceMs: race.nowMs, mostMs: longestWaitMs(owner) });
      }
    });
    expect([race.waiting, race.running].map(sum), 'everything was served').toEqual([0, 0]);
  };
  fc.assert(fc.property(scenario, holds), { numRuns: 60 });
});

/**
 * From the leads: multiplied by weights and summed over all owners, what one has had differs from its weight's share of all that was had by no more
 * than (owners - 1) * slots * longestMs; what is under way, and not all counted, is a round more. The error of the share goes to nothing as work goes on.
 */
test('what owners get while all have work converges to the shares that their weights say', () => {
  const ENDS = 600;
  const holds = (given: Scenario) => {
    const { slots, weights } = given;
    const race = new Race({ ...given, halfLifeMs: 1e12, durations: given.durations.map((ms) => ms + PREPAID_MS) });
    for (const owner of weights.keys()) race.submit(owner, ENDS);
    race.run(() => {
      const all = sum(race.served);
      for (const owner of weights.keys()) {
        const fair = (race.weight(owner) / sum(weights)) * all;
        const apart = Math.abs((race.served[owner] as number) - fair);
        expect(apart).toBeLessThanOrEqual(weights.length * slots * race.longestMs * ROUNDING);
      }
    }, ENDS);
    expect(Math.min(...race.waiting), 'all had work to the end').toBeGreaterThan(0);
  };
  fc.assert(fc.property(scenario, holds), { numRuns: 15 });
});
