import type { Dirent } from 'node:fs';
import { opendir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import picomatch from 'picomatch';
import { LanyardError } from '../../shared/errors.ts';
import { LIMITS } from '../../shared/limits.ts';
import { errorCode } from '../disk.ts';
import { nameFault, shownName } from './names.ts';

export interface CollectedFile {
  /** Relative to the working folder, `/`-separated. */
  readonly path: string;
  /** Where its bytes are: the file itself, never a link. */
  readonly source: string;
  readonly bytes: number;
}

export interface CollectedFiles {
  readonly files: readonly CollectedFile[];
  /** Globs that matched nothing. */
  readonly missing: readonly string[];
}

/**
 * Finds the files of `folder/workdir` that match any of `globs`, sorted by path. Files and folders whose name begins with
 * a dot match only where the glob says so. A link to a file inside `folder` counts as that file; folders that are links are not entered.
 * @throws LanyardError INVALID for a match that leads out of `folder` or whose name the policy refuses; TOO_LARGE for too many matches
 */
export async function collectOutputs(folder: string, workdir: string, globs: readonly string[]): Promise<CollectedFiles> {
  const root = await realpath(folder);
  const start = await realInside(root, join(root, workdir));
  if (start === 'nothing') return { files: [], missing: globs };
  if (start === 'outside') throw refused(workdir, 'the working folder leads out of the folder of the task');
  const matchers = globs.map((glob) => ({ glob, matches: picomatch(glob, { nonegate: true, noextglob: true, windows: false }) }));
  const matched = new Set<string>();
  const files: CollectedFile[] = [];
  const look = async (path: string, entry: Dirent): Promise<void> => {
    const hits = matchers.filter(({ matches }) => matches(path));
    if (hits.length === 0) return;
    const file = await checkedFile(root, join(start.path, path), path, entry);
    if (file === undefined) return;
    for (const { glob } of hits) matched.add(glob);
    files.push(file);
    if (files.length > LIMITS.outputFiles) {
      throw new LanyardError({ code: 'TOO_LARGE', message: `More than ${LIMITS.outputFiles} files match the outputs of the job.` });
    }
  };
  await walk(start.path, '', look);
  files.sort((left, right) => (left.path < right.path ? -1 : 1));
  return { files, missing: globs.filter((glob) => !matched.has(glob)) };
}

async function walk(root: string, folder: string, look: (path: string, entry: Dirent) => Promise<void>): Promise<void> {
  for await (const entry of await opendir(join(root, folder))) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    // Longer paths are refused as names anyway; this bounds how deep a task can make this dig.
    if (entry.isDirectory() && path.length < LIMITS.pathLength) await walk(root, path, look);
    if (!entry.isDirectory()) await look(path, entry);
  }
}

/** @returns undefined for what is no file: a pipe, a socket, a link to a folder or to nothing */
async function checkedFile(root: string, place: string, path: string, entry: Dirent): Promise<CollectedFile | undefined> {
  if (!entry.isFile() && !entry.isSymbolicLink()) return undefined;
  const source = await realInside(root, place);
  if (source === 'outside') throw refused(path, 'it is a link that leads out of the folder of the task');
  if (source === 'nothing') return undefined;
  const stats = await stat(source.path);
  if (!stats.isFile()) return undefined;
  const fault = nameFault(path);
  if (fault !== undefined) throw refused(path, fault);
  return { path, source: source.path, bytes: stats.size };
}

/** @returns the real path of `place`, or whether it is `nothing` or leads `outside` of `root` */
async function realInside(root: string, place: string): Promise<{ readonly path: string } | 'nothing' | 'outside'> {
  try {
    const real = await realpath(place);
    return real === root || real.startsWith(root + sep) ? { path: real } : 'outside';
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return 'nothing';
    throw error;
  }
}

function refused(path: string, fault: string): LanyardError {
  return new LanyardError({ code: 'INVALID', message: `The output ${shownName(path)} is refused: ${fault}.` });
}
