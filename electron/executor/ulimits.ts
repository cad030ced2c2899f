import { readFile } from 'node:fs/promises';

/** As the engine's API takes it (`HostConfig.Ulimits`). */
export interface Ulimit {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}

/**
 * Podman as root wants a million of each for every container, whether it may have them or not. Its own number of
 * processes it lowers to the kernel's `pid_max`, which is seldom less than this.
 */
const MOST: Readonly<Record<string, { readonly name: string; readonly most: number }>> = {
  'Max open files': { name: 'nofile', most: 1_048_576 },
  'Max processes': { name: 'nproc', most: 32_768 },
};

/** What an engine says that may not give a container the limits it gives by itself. */
export function areLimitsRefused(said: string): boolean {
  return /rlimit/i.test(said);
}

/**
 * The limits of this process: an engine of the same machine may give them, unless it has less itself.
 * @returns none where the system does not tell (https://man7.org/linux/man-pages/man5/proc_pid_limits.5.html)
 */
export async function ownUlimits(path = '/proc/self/limits'): Promise<Ulimit[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [, title = '', soft, hard] = /^(.+?) {2,}(\S+) +(\S+)/.exec(line) ?? [];
    const known = MOST[title];
    if (known === undefined) return [];
    // "unlimited" is no number.
    const amount = (limit: string | undefined) => Math.min(Number(limit) || known.most, known.most);
    return [{ Name: known.name, Soft: amount(soft), Hard: amount(hard) }];
  });
}
