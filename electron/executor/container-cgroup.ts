import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UsageReading } from './usage-gauge.ts';

/**
 * Reads what a container has used from its control groups, where the engine runs on this machine and they can be seen: it costs
 * no request to the engine, and the kernel remembers the peak of memory between two looks.
 */
export interface ContainerCgroups {
  /** False once it is known where the engine puts the groups of containers, and when they were looked for in vain too often. */
  readonly wantsToLearn: boolean;
  /** Finds out by a process of a container where the engine puts its groups. */
  learn(container: string, processId: number): void;
  /** @returns undefined when there are no such groups (any more) */
  read(container: string): UsageReading | undefined;
}

/** Folders of a container's groups, with `{id}` for the container; both are the same in version 2. */
interface Place {
  readonly version: 1 | 2;
  readonly memory: string;
  readonly cpu: string;
}

const MOUNT = 'sys/fs/cgroup';
/** A container may end just when it is looked at; one that is never to be seen runs elsewhere. */
const MOST_TRIES = 5;

/** @param root of the file system, for tests */
export function createContainerCgroups(root = '/'): ContainerCgroups {
  let place: Place | undefined;
  let tries = 0;
  const read = (...parts: string[]): string | undefined => {
    try {
      return readFileSync(join(root, ...parts), 'utf8');
    } catch {
      return undefined;
    }
  };
  return {
    get wantsToLearn() {
      return place === undefined && tries < MOST_TRIES;
    },
    learn(container, processId) {
      tries++;
      place ??= placeOf(container, read('proc', String(processId), 'cgroup') ?? '', (path) => read(path) !== undefined);
    },
    read(container) {
      if (place === undefined) return undefined;
      const file = (folder: string, name: string) => read(folder.replace('{id}', container), name);
      return place.version === 1 ? readVersion1(place, file) : readVersion2(place, file);
    },
  };
}

/**
 * Lines of `ID:CONTROLLERS:PATH`, version 2 being the one without controllers. A path that does not name the container is that of
 * another process of this number: the engine lives elsewhere.
 */
function placeOf(container: string, groups: string, exists: (path: string) => boolean): Place | undefined {
  const paths = new Map<string, string>();
  for (const line of groups.trim().split('\n')) {
    const [, controllers = '', ...rest] = line.split(':');
    const path = patternOf(rest.join(':'), container);
    if (path !== undefined) for (const controller of controllers.split(',')) paths.set(controller, path);
  }
  const at = (pattern: string, file: string) => exists(join(pattern.replace('{id}', container), file));
  const memory = join(MOUNT, 'memory', paths.get('memory') ?? '');
  if (paths.has('memory') && at(memory, 'memory.usage_in_bytes')) {
    const cpu = ['cpuacct', 'cpu,cpuacct', 'cpuacct,cpu'].map((mount) => join(MOUNT, mount, paths.get('cpuacct') ?? ''));
    return { version: 1, memory, cpu: cpu.find((folder) => at(folder, 'cpuacct.usage')) ?? memory };
  }
  const unified = join(MOUNT, paths.get('') ?? '');
  return paths.has('') && at(unified, 'memory.current') ? { version: 2, memory: unified, cpu: unified } : undefined;
}

/** The path down to the folder that is called after the container; engines put more groups below it. */
function patternOf(path: string, container: string): string | undefined {
  const folders = path.split('/');
  const at = folders.findIndex((folder) => folder.includes(container));
  if (at < 0) return undefined;
  return folders
    .slice(0, at + 1)
    .join('/')
    .replace(container, '{id}');
}

type ReadFile = (folder: string, name: string) => string | undefined;

/** docs.kernel.org, admin-guide/cgroup-v1/memory and cpuacct; the CPU time is in nanoseconds. */
function readVersion1({ memory, cpu }: Place, file: ReadFile): UsageReading | undefined {
  const used = numberIn(file(memory, 'memory.usage_in_bytes'));
  if (used === undefined) return undefined;
  const nanoseconds = numberIn(file(cpu, 'cpuacct.usage'));
  const peak = numberIn(file(memory, 'memory.max_usage_in_bytes')) ?? used;
  const droppable = numberIn(/^total_inactive_file (\d+)/m.exec(file(memory, 'memory.stat') ?? '')?.[1]) ?? 0;
  return { cpuMs: nanoseconds === undefined ? undefined : nanoseconds / 1e6, ramBytes: withoutDroppable(used, peak, droppable) };
}

/** docs.kernel.org, admin-guide/cgroup-v2; `memory.peak` is there since Linux 5.19, the CPU time is in microseconds. */
function readVersion2({ memory, cpu }: Place, file: ReadFile): UsageReading | undefined {
  const used = numberIn(file(memory, 'memory.current'));
  if (used === undefined) return undefined;
  const microseconds = numberIn(/^usage_usec (\d+)/m.exec(file(cpu, 'cpu.stat') ?? '')?.[1]);
  const peak = numberIn(file(memory, 'memory.peak')) ?? used;
  const droppable = numberIn(/^inactive_file (\d+)/m.exec(file(memory, 'memory.stat') ?? '')?.[1]) ?? 0;
  return { cpuMs: microseconds === undefined ? undefined : microseconds / 1e3, ramBytes: withoutDroppable(used, peak, droppable) };
}

/**
 * The kernel counts pages of files that it can drop at any time too, which no task needs. How many of them there were at the peak
 * nobody knows; as many as now are taken off it, and it is no less than what is in use now.
 */
export function withoutDroppable(used: number, peak: number, droppable: number): number {
  return Math.max(0, used - droppable, peak - droppable);
}

function numberIn(text: string | undefined): number | undefined {
  const number = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  return number >= 0 ? number : undefined;
}
