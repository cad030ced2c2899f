import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** What the control groups that this process lives in leave to it; undefined where they set no bound. */
export interface CgroupLimits {
  /** CPU cores; may be a fraction. */
  readonly cpu: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Used of `memoryBytes`, without file pages that the kernel can drop. */
  readonly memoryUsedBytes: number | undefined;
}

/** Version 1 writes "no limit" as the largest number of pages; no machine has an exbibyte. */
const UNLIMITED_BYTES = 2 ** 60;

/**
 * Reads the limits of this process, of both versions of Linux's control groups: each group and each of its parents may set
 * one, and the least counts (docs.kernel.org, admin-guide/cgroup-v1 and cgroup-v2). In a container the mounted
 * hierarchy begins at the container's own group, so that parts of the path may not be there; they are skipped.
 * @param root of the file system, for tests
 */
export function readCgroupLimits(root = '/'): CgroupLimits {
  const read = (...parts: string[]): string | undefined => {
    try {
      return readFileSync(join(root, ...parts), 'utf8').trim();
    } catch {
      return undefined;
    }
  };
  const groups = parseGroups(read('proc/self/cgroup') ?? '');
  const mount = 'sys/fs/cgroup';
  const unified = groups.get('') ?? '/';
  const cpu: number[] = [];
  for (const group of upwards(unified)) cpu.push(...quota(read(mount, group, 'cpu.max')?.split(' ')));
  for (const controller of ['cpu', 'cpu,cpuacct'])
    for (const group of upwards(groups.get('cpu') ?? '/'))
      cpu.push(...quota([read(mount, controller, group, 'cpu.cfs_quota_us'), read(mount, controller, group, 'cpu.cfs_period_us')]));

  let memory: { readonly limit: number; readonly used: number | undefined } | undefined;
  const consider = (folder: string, limitFile: string, usedFile: string, inactive: RegExp): void => {
    const limit = positive(read(mount, folder, limitFile));
    if (limit === undefined || limit >= UNLIMITED_BYTES || (memory !== undefined && memory.limit <= limit)) return;
    const usage = positive(read(mount, folder, usedFile));
    const droppable = positive(inactive.exec(read(mount, folder, 'memory.stat') ?? '')?.[1]) ?? 0;
    memory = { limit, used: usage === undefined ? undefined : Math.max(0, usage - droppable) };
  };
  for (const group of upwards(unified)) consider(group, 'memory.max', 'memory.current', /^inactive_file (\d+)/m);
  for (const group of upwards(groups.get('memory') ?? '/'))
    consider(join('memory', group), 'memory.limit_in_bytes', 'memory.usage_in_bytes', /^total_inactive_file (\d+)/m);
  return { cpu: cpu.length === 0 ? undefined : Math.min(...cpu), memoryBytes: memory?.limit, memoryUsedBytes: memory?.used };
}

/** Lines of `ID:CONTROLLERS:PATH`; version 2 has the one line without controllers. */
function parseGroups(text: string): Map<string, string> {
  const groups = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, ...path] = line.split(':');
    if (controllers === undefined) continue;
    for (const controller of controllers.split(',')) groups.set(controller, path.join(':'));
  }
  return groups;
}

/** The group and its parents up to the root of what is mounted. */
function upwards(group: string): string[] {
  const path = posix.join('/', group);
  return path === '/' ? ['/'] : [path, ...upwards(posix.dirname(path))];
}

/** @returns the cores of a quota and its period; nothing for `max`, -1 and what is not there */
function quota(pair: readonly (string | undefined)[] | undefined): number[] {
  const [runtime, period] = [positive(pair?.[0]), positive(pair?.[1])];
  return runtime === undefined || period === undefined ? [] : [runtime / period];
}

function positive(text: string | undefined): number | undefined {
  const number = text === undefined || text === '' ? Number.NaN : Number(text);
  return number > 0 ? number : undefined;
}
