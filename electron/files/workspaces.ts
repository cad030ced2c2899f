import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import { type AttemptId, parseAttemptId } from '../../shared/ids.ts';
import type { BlobReference, Phase } from '../../shared/protocol.ts';
import { errorCode, namedDiskError } from '../disk.ts';
import type { Blobs, BlobTransfer } from '../ports/files.ts';
import type { Logger } from '../ports/system.ts';
import type { Workspace, WorkspaceResult, Workspaces } from '../ports/workspace.ts';
import { diskShortage } from './disk-room.ts';
import { type HeldInput, InputCache, InputFailure } from './input-cache.ts';
import { nameFault, shownName } from './names.ts';
import { collectOutputs } from './outputs.ts';
import { copyForAttempt, copyTree, makeAttemptFolder, removeTree } from './trees.ts';

export interface WorkspacesOptions {
  readonly folder: string;
  /** Unpacked inputs kept for the next attempt; what live attempts use may pass it. */
  readonly cacheBytes: number;
  readonly blobs: Blobs;
  readonly transfer: BlobTransfer;
  readonly logger: Logger;
}

interface ExtraFile extends BlobReference {
  readonly path: string;
}

/**
 * Opens the attempts' folders of a worker: `attempts/<attempt>` holds a private writable copy of the input, which
 * belongs to the container's user when this program is root (see `trees.ts`); `cache/` holds inputs that are ready.
 *
 * `create` never throws for what the world does: a zip that breaks the policy is 'input-refused', a blob that cannot be
 * had 'input-unavailable', a stop 'cancelled', and a full or broken disk 'infrastructure'.
 * `collect` throws a LanyardError INVALID or TOO_LARGE when an output is refused (see `outputs.ts`).
 */
export async function openWorkspaces(options: WorkspacesOptions): Promise<Workspaces> {
  const attempts = join(options.folder, 'attempts');
  await mkdir(attempts, { recursive: true });
  const cache = await InputCache.open({ ...options, folder: join(options.folder, 'cache'), capBytes: options.cacheBytes });
  return new AttemptFolders(attempts, cache, options.logger);
}

class AttemptFolders implements Workspaces {
  readonly #folder: string;
  readonly #cache: InputCache;
  readonly #logger: Logger;
  readonly #live = new Set<string>();

  constructor(folder: string, cache: InputCache, logger: Logger) {
    this.#folder = folder;
    this.#cache = cache;
    this.#logger = logger;
  }

  cached(): ReturnType<Workspaces['cached']> {
    return this.#cache.trees();
  }

  async cache(clear: boolean): ReturnType<Workspaces['cache']> {
    if (clear) await this.#cache.clear();
    return { capBytes: this.#cache.capBytes, inputs: this.#cache.list() };
  }

  async create(
    attempt: AttemptId,
    input: BlobReference | null,
    files: readonly ExtraFile[],
    progress: (phase: Phase) => void,
    signal: AbortSignal,
  ): Promise<WorkspaceResult> {
    if (parseAttemptId(attempt) === undefined) throw new Error(`not an attempt id: ${attempt}`);
    const folder = join(this.#folder, attempt);
    const held: HeldInput[] = [];
    const remove = async (): Promise<void> => {
      try {
        await removeTree(folder);
      } finally {
        this.#live.delete(attempt);
        for (const one of held) await one.release();
      }
    };
    this.#live.add(attempt);
    try {
      await removeTree(folder);
      await this.#fill(
        folder,
        input,
        files,
        async (kind, blob) => {
          const one = await this.#cache.hold(kind, blob, progress, signal);
          held.push(one);
          return one.path;
        },
        signal,
      );
      return { workspace: attemptFolder(folder, remove) };
    } catch (error) {
      await remove().catch((failure: unknown) => this.#logger.warn('cannot remove an attempt folder', { attempt, error: String(failure) }));
      return refusal(error, signal);
    }
  }

  async removeStrays(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!this.#live.has(name)) await removeTree(join(this.#folder, name));
    }
  }

  async #fill(
    folder: string,
    input: BlobReference | null,
    files: readonly ExtraFile[],
    hold: (kind: 'tree' | 'file', blob: BlobReference) => Promise<string>,
    signal: AbortSignal,
  ): Promise<void> {
    for (const { path } of files) {
      const fault = nameFault(path);
      if (fault !== undefined) throw new LanyardError({ code: 'INVALID', message: `The file ${shownName(path)} is refused: ${fault}.` });
    }
    if (input === null) await makeAttemptFolder(dirname(folder), folder);
    else await copyTree(await hold('tree', input), folder, signal);
    for (const file of files) await layFile(folder, file, await hold('file', file));
  }
}

function attemptFolder(folder: string, remove: () => Promise<void>): Workspace {
  return {
    folder,
    collect: (globs, workdir) => collectOutputs(folder, workdir, globs),
    diskShortage: (promisedMb) => diskShortage(folder, promisedMb),
    remove,
  };
}

/** Nothing in the folder is a link yet, so `path` cannot lead out of it. */
async function layFile(folder: string, { path }: ExtraFile, source: string): Promise<void> {
  const target = join(folder, path);
  try {
    await makeAttemptFolder(folder, dirname(target));
    await copyForAttempt(source, target);
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'EISDIR' && code !== 'ENOTDIR' && code !== 'EEXIST') throw error;
    throw new LanyardError({
      code: 'INVALID',
      message: `The file ${shownName(path)} is refused: the input has a file where it needs a folder, or a folder in its place.`,
    });
  }
}

function refusal(error: unknown, signal: AbortSignal): WorkspaceResult {
  if (signal.aborted) return { refused: 'cancelled', message: 'The task was stopped while its folder was prepared.' };
  const cause = namedDiskError(error instanceof InputFailure ? error.cause : error, 'preparing the folder of the task');
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof LanyardError ? cause.code : undefined;
  if (code === 'DISK_FULL') return { refused: 'infrastructure', message };
  if (error instanceof InputFailure && error.at === 'fetching') {
    return { refused: 'input-unavailable', message: `The input cannot be fetched: ${message}` };
  }
  if (code === 'INVALID') return { refused: 'input-refused', message };
  return { refused: 'infrastructure', message: `The folder of the task cannot be prepared: ${message}` };
}
