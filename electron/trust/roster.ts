import { readFile, rm } from 'node:fs/promises';
import { invalid, LanyardError } from '../../shared/errors.ts';
import { type Roster, rosterChainSchema, type SignedRoster, signedRosterSchema, TRUST_LIMITS } from '../../shared/trust.ts';
import { replaceFile } from '../disk.ts';
import type { Dispose } from '../ports/system.ts';
import { checkRoster, verifySuccessor } from './farm.ts';

/** The roster that this device holds, on disk. */
export interface RosterFile {
  /** Undefined while the device belongs to no farm. */
  readonly current: Roster | undefined;
  /**
   * What a device that holds `version` needs to follow: the rosters at which the administrators changed, oldest first,
   * then the current one. Empty when it is up to date.
   */
  since(version: number): readonly SignedRoster[];
  /**
   * Takes the first rosters: that of a farm just made, or the coordinator's `since(0)`, whose last passed `verifyFirst`.
   * The earlier ones are kept for devices that follow this one, should it ever coordinate.
   * @throws LanyardError CONFLICT when the device belongs to a farm, FORBIDDEN when one does not follow from the one before
   */
  start(chain: readonly SignedRoster[]): Promise<Roster>;
  /**
   * Follows a chain as `since` gives it, or a single change. What is held already is skipped; nothing is taken unless all holds.
   * @returns the roster held afterwards. It is on disk.
   * @throws LanyardError FORBIDDEN, as `verifySuccessor`
   */
  follow(chain: readonly SignedRoster[]): Promise<Roster>;
  /** Takes what another process of this device wrote: a newer roster, or that it left the farm. */
  reload(): Promise<void>;
  /** Forgets the farm. */
  leave(): Promise<void>;
  /** Calls back after each change, once it is on disk; undefined after `leave`. */
  subscribe(listener: (roster: Roster | undefined) => void): Dispose;
}

/**
 * Opens the roster, or none when there is no file.
 * @throws LanyardError INVALID when the file is damaged
 */
export async function openRoster(path: string): Promise<RosterFile> {
  let chain = await read(path);
  const listeners = new Set<(roster: Roster | undefined) => void>();
  let turn: Promise<unknown> = Promise.resolve();

  /** One change at a time, each on top of the one before. */
  const change = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work);
    turn = mine.catch(() => undefined);
    return mine;
  };
  const save = async (changed: readonly SignedRoster[]) => {
    await replaceFile(path, JSON.stringify(changed));
    chain = changed;
    for (const listener of listeners) listener(chain.at(-1)?.roster);
  };

  return {
    get current() {
      return chain.at(-1)?.roster;
    },
    since: (version) => chain.filter(({ roster }) => roster.version > version),
    start: (offered) =>
      change(async () => {
        if (chain.length > 0)
          throw new LanyardError({ code: 'CONFLICT', message: 'This device belongs to a farm already.', hint: 'Leave it first.' });
        const [first, ...rest] = offered;
        if (first === undefined) throw new Error('start: no roster');
        let roster = checkRoster(first.roster);
        let followed: readonly SignedRoster[] = [{ ...first, roster }];
        for (const one of rest) {
          roster = verifySuccessor(roster, one);
          followed = append(followed, { ...one, roster });
        }
        await save(followed);
        return roster;
      }),
    follow: (offered) =>
      change(async () => {
        const held = chain.at(-1)?.roster;
        if (held === undefined) throw new LanyardError({ code: 'CONFLICT', message: 'This device belongs to no farm.' });
        const newer = offered.filter(({ roster }) => roster.farm.id !== held.farm.id || roster.version > held.version);
        let roster = held;
        let followed = chain;
        for (const one of newer) {
          roster = verifySuccessor(roster, one);
          followed = append(followed, { ...one, roster });
        }
        if (newer.length > 0) await save(followed);
        return roster;
      }),
    reload: () =>
      change(async () => {
        const written = await read(path);
        const [before, after] = [chain.at(-1)?.roster, written.at(-1)?.roster];
        if (before?.farm.id === after?.farm.id && (after?.version ?? 0) <= (before?.version ?? 0)) return;
        chain = written;
        for (const listener of listeners) listener(after);
      }),
    leave: () =>
      change(async () => {
        await rm(path, { force: true });
        chain = [];
        for (const listener of listeners) listener(undefined);
      }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A roster with the same administrators as the one before it is not needed to verify what comes after the next. */
function append(chain: readonly SignedRoster[], added: SignedRoster): readonly SignedRoster[] {
  const last = chain.at(-1);
  const before = chain.at(-2);
  const isNeeded = last === undefined || before === undefined || administrators(before.roster) !== administrators(last.roster);
  const kept = isNeeded ? chain : chain.slice(0, -1);
  return [...kept.slice(-TRUST_LIMITS.rosterChain), added];
}

function administrators({ devices }: Roster): string {
  return devices
    .filter(({ roles }) => roles.includes('admin'))
    .map(({ id }) => id)
    .sort()
    .join();
}

/**
 * Reads rosters from a peer's text.
 * @throws LanyardError TOO_LARGE or INVALID
 */
export function parseSignedRoster(text: string): SignedRoster {
  if (text.length > TRUST_LIMITS.rosterLength) throw new LanyardError({ code: 'TOO_LARGE', message: 'This roster is too large.' });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = signedRosterSchema.safeParse(value);
  if (!parsed.success) throw invalid(parsed.error, 'This roster');
  return parsed.data;
}

/** The file is this device's own (mode 0600), so signatures are not checked again; that it is whole is. */
async function read(path: string): Promise<readonly SignedRoster[]> {
  try {
    const chain = rosterChainSchema.min(1).parse(JSON.parse(await readFile(path, 'utf8')));
    return chain.map((signed) => ({ ...signed, roster: checkRoster(signed.roster) }));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new LanyardError(
      {
        code: 'INVALID',
        message: `The roster in ${path} cannot be read.`,
        hint: 'Restore it from a backup, or remove it and join the farm again.',
      },
      { cause },
    );
  }
}
