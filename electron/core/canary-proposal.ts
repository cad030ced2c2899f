import type { CanaryProposal, CanaryRun, SomeNeeds, TaskNeeds } from '../../shared/canary.ts';
import { LIMITS } from '../../shared/limits.ts';

const RAM_STEP_MB = 32;
const RAM_SPARE_MB = 64;
const CPU_STEP = 0.25;
const MINUTE_MS = 60_000;

/** What a node that can serve the job has in all. */
export interface NodeSize {
  readonly cpu: number;
  readonly ramMb: number;
}

/**
 * What the rest of a job should ask for, from what its first tasks have used. Other tasks may need more than these three, so there
 * is a margin on each figure:
 *
 * - memory: the highest peak and half as much again, at least 64 MiB more, rounded up to 32 MiB;
 * - CPU: the highest mean use (CPU time over run time) and a quarter more, rounded up to a quarter of a core, but not more than was
 *   asked: a container that uses all it is given does not show how much more it would use. Only a command that went beyond what was
 *   asked (the host executor sets no limit) is given what it used, rounded up;
 * - timeout: four times the longest run and a minute, rounded up to a minute.
 *
 * What nobody could measure stays as it was asked. Nothing goes below `least`, and memory and CPU go beyond what was asked only as far
 * as some node that can serve the job has them.
 * @param nodes those that could run the job as it was asked
 */
export function proposeNeeds(asked: TaskNeeds, runs: readonly CanaryRun[], least: SomeNeeds, nodes: readonly NodeSize[]): CanaryProposal {
  const cpu = atLeast(proposeCpu(asked.cpu, runs, nodes), least.cpu, 'cores');
  const ramMb = atLeast(proposeRam(asked.ramMb, cpu.value, runs, nodes), least.ramMb, 'MiB');
  const timeoutMs = atLeast(proposeTimeout(asked.timeoutMs, runs), least.timeoutMs, 'ms');
  return {
    asked,
    needs: { cpu: cpu.value, ramMb: ramMb.value, timeoutMs: timeoutMs.value },
    reasons: [cpu.reason, ramMb.reason, timeoutMs.reason],
    runs: [...runs].sort((one, other) => one.index - other.index),
  };
}

interface Proposed {
  readonly value: number;
  readonly reason: string;
}

function proposeCpu(asked: number, runs: readonly CanaryRun[], nodes: readonly NodeSize[]): Proposed {
  const used = runs.flatMap(({ cpuMs, ranForMs }) => (cpuMs === null || ranForMs <= 0 ? [] : [cpuMs / ranForMs]));
  if (used.length === 0) return { value: asked, reason: `CPU: nobody could tell what was used; it stays at ${asked} cores` };
  const most = Math.max(...used);
  const said = `CPU: at most ${most.toFixed(2)} cores were in use on average`;
  if (most <= asked) {
    const value = Math.min(asked, up(most * 1.25, CPU_STEP));
    return { value, reason: `${said}; with a quarter to spare ${value}, instead of ${asked}` };
  }
  const largest = Math.max(asked, ...nodes.map((node) => node.cpu));
  const wanted = up(most, CPU_STEP);
  if (wanted > largest) return { value: largest, reason: `${said}, and no node that can serve it has more than ${largest}` };
  return { value: wanted, reason: `${said}: ${wanted}, instead of ${asked}` };
}

function proposeRam(asked: number, cpu: number, runs: readonly CanaryRun[], nodes: readonly NodeSize[]): Proposed {
  const used = runs.flatMap(({ peakRamMb }) => (peakRamMb === null ? [] : [peakRamMb]));
  if (used.length === 0) return { value: asked, reason: `memory: nobody could tell what was used; it stays at ${asked} MiB` };
  const most = Math.max(...used);
  const wanted = up(Math.max(most * 1.5, most + RAM_SPARE_MB), RAM_STEP_MB);
  const largest = Math.max(asked, ...nodes.filter((node) => node.cpu >= cpu).map((node) => node.ramMb));
  const said = `memory: at most ${most} MiB were in use at once`;
  if (wanted > largest) return { value: largest, reason: `${said}, and no node that can serve it has more than ${largest} MiB` };
  return { value: wanted, reason: `${said}; with a margin ${wanted} MiB, instead of ${asked}` };
}

function proposeTimeout(asked: number, runs: readonly CanaryRun[]): Proposed {
  const longestMs = Math.max(...runs.map(({ ranForMs }) => ranForMs), 0);
  if (longestMs === 0) return { value: asked, reason: `timeout: nobody could tell how long it ran; it stays at ${minutes(asked)} min` };
  const value = Math.min(LIMITS.timeoutMs, up(longestMs * 4 + MINUTE_MS, MINUTE_MS));
  const seconds = (longestMs / 1_000).toFixed(1);
  return { value, reason: `timeout: the longest run took ${seconds} s; with a margin ${minutes(value)} min, instead of ${minutes(asked)}` };
}

function atLeast({ value, reason }: Proposed, least: number | undefined, unit: string): Proposed {
  if (least === undefined || value >= least) return { value, reason };
  return { value: least, reason: `${reason}; but the job asks for ${least} ${unit} at least` };
}

function up(value: number, step: number): number {
  return Math.max(step, Math.ceil(value / step - 1e-9) * step);
}

function minutes(ms: number): number {
  return Math.round(ms / 6_000) / 10;
}
