import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CanaryRun, TaskNeeds } from '../../shared/canary.ts';
import { LIMITS } from '../../shared/limits.ts';
import { proposeNeeds } from './canary-proposal.ts';

const ASKED: TaskNeeds = { cpu: 4, ramMb: 4_096, timeoutMs: 3_600_000 };
const NODES = [
  { cpu: 8, ramMb: 16_000 },
  { cpu: 2, ramMb: 64_000 },
];

function run(index: number, more: Partial<CanaryRun> = {}): CanaryRun {
  return { index, ranForMs: 10_000, cpuMs: 10_000, peakRamMb: 300, ...more };
}

describe('what a canary proposes', () => {
  test('is the most that was used, with a margin, and says where it comes from', () => {
    const runs = [run(9, { ranForMs: 20_000, cpuMs: 30_000 }), run(0), run(4, { peakRamMb: 640 })];
    const { needs, asked, reasons, runs: kept } = proposeNeeds(ASKED, runs, {}, NODES);
    expect(needs).toEqual({ cpu: 2, ramMb: 960, timeoutMs: 180_000 });
    expect(asked).toEqual(ASKED);
    expect(reasons).toEqual([
      'CPU: at most 1.50 cores were in use on average; with a quarter to spare 2, instead of 4',
      'memory: at most 640 MiB were in use at once; with a margin 960 MiB, instead of 4096',
      'timeout: the longest run took 20.0 s; with a margin 3 min, instead of 60',
    ]);
    expect(kept.map(({ index }) => index)).toEqual([0, 4, 9]);
  });

  test('stays as it was where nobody could tell', () => {
    const runs = [run(0, { cpuMs: null, peakRamMb: null, ranForMs: 0 })];
    expect(proposeNeeds(ASKED, runs, {}, NODES).needs).toEqual(ASKED);
    expect(proposeNeeds(ASKED, [], {}, NODES).needs).toEqual(ASKED);
  });

  test('is not below what the job says', () => {
    const least = { cpu: 3, ramMb: 2_048, timeoutMs: 600_000 };
    const { needs, reasons } = proposeNeeds(ASKED, [run(0)], least, NODES);
    expect(needs).toEqual(least);
    expect(reasons[1]).toContain('but the job asks for 2048 MiB at least');
  });

  test('gives a container that uses all its CPU no more, and a command of the host what it took', () => {
    expect(proposeNeeds(ASKED, [run(0, { cpuMs: 39_900 })], {}, NODES).needs.cpu).toBe(4);
    expect(proposeNeeds(ASKED, [run(0, { cpuMs: 51_000 })], {}, NODES).needs.cpu).toBe(5.25);
  });

  test('goes beyond what was asked only as far as a node has it, and says so', () => {
    const tight: TaskNeeds = { cpu: 4, ramMb: 12_000, timeoutMs: 60_000 };
    const { needs, reasons } = proposeNeeds(tight, [run(0, { peakRamMb: 11_500, cpuMs: 40_000 })], {}, NODES);
    expect(needs.ramMb).toBe(16_000);
    expect(reasons[1]).toBe('memory: at most 11500 MiB were in use at once, and no node that can serve it has more than 16000 MiB');
    expect(proposeNeeds(tight, [run(0, { peakRamMb: 11_500, cpuMs: 200_000 })], {}, NODES).needs.cpu).toBe(8);
    expect(proposeNeeds(tight, [run(0, { peakRamMb: 11_500 })], {}, []).needs.ramMb).toBe(12_000);
  });

  test('is at least what was used, or all that there is; never below the least; and in range', () => {
    const figure = (max: number) => fc.option(fc.integer({ min: 0, max }), { nil: null });
    const runs = fc.array(
      fc.record({ index: fc.nat(9), ranForMs: fc.integer({ min: 1, max: 1e9 }), cpuMs: figure(1e9), peakRamMb: figure(100_000) }),
      { minLength: 1, maxLength: 3 },
    );
    const asks = fc.record({
      cpu: fc.integer({ min: 1, max: 64 }),
      ramMb: fc.integer({ min: 1, max: 100_000 }),
      timeoutMs: fc.integer({ min: 1_000, max: LIMITS.timeoutMs }),
    });
    const nodes = fc.array(fc.record({ cpu: fc.integer({ min: 1, max: 64 }), ramMb: fc.integer({ min: 64, max: 100_000 }) }));
    fc.assert(
      fc.property(runs, asks, asks, nodes, (used, asked, least, sizes) => {
        const { needs } = proposeNeeds(asked, used, least, sizes);
        const peak = Math.max(0, ...used.map(({ peakRamMb }) => peakRamMb ?? 0));
        const largest = Math.max(asked.ramMb, ...sizes.filter(({ cpu }) => cpu >= needs.cpu).map(({ ramMb }) => ramMb));
        expect(needs.ramMb).toBeGreaterThanOrEqual(Math.min(peak, largest));
        expect(needs.ramMb).toBeLessThanOrEqual(Math.max(largest, least.ramMb));
        for (const what of ['cpu', 'ramMb', 'timeoutMs'] as const) expect(needs[what]).toBeGreaterThanOrEqual(least[what]);
        const longestMs = Math.max(...used.map(({ ranForMs }) => ranForMs));
        expect(needs.timeoutMs).toBeGreaterThanOrEqual(Math.min(longestMs, LIMITS.timeoutMs));
        expect(needs.timeoutMs).toBeLessThanOrEqual(LIMITS.timeoutMs);
      }),
    );
  });
});
