import type { Dirent } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HandoverManifest } from '../../shared/trust.ts';

/** What moves with coordination, relative to the coordinator's data folder. Files in these folders only grow, or never change. */
const GROWING = ['blobs/blobs', 'logs'] as const;
/** What changes as the farm works: it moves when the farm stands still. */
export const DATABASE = 'farm.sqlite';
/** They come and go; they move when the farm stands still. */
export const TEMPLATES = 'templates';
/** The copy of the database that is handed over, while it is. */
export const DATABASE_COPY = 'handover.sqlite';
/** Where the files of a farm wait at the device that takes over, until all are there. */
export const STAGING = 'handover';
const CHANGING = ['tokens.json', 'audit.jsonl', ...Array.from({ length: 7 }, (_, index) => `audit.${index + 1}.jsonl`)];

/** A path of a manifest: no way out of the folder, whoever wrote it. */
const PATH = /^(?:blobs\/blobs|logs|templates)(?:\/(?!\.{1,2}\/)[A-Za-z0-9._-]{1,128}){1,6}$/;

export function isMovable(path: string): boolean {
  return path === DATABASE || CHANGING.includes(path) || (PATH.test(path) && !path.split('/').includes('..'));
}

/**
 * Lists what there is under a coordinator's data folder.
 * @param database the copy of the database that stands for the real one; undefined: only what grows
 */
export async function listFiles(dataFolder: string, database: string | undefined): Promise<HandoverManifest> {
  const files: { path: string; bytes: number }[] = [];
  const add = async (path: string, at: string) => {
    const found = await stat(at).catch(() => undefined);
    if (found?.isFile()) files.push({ path, bytes: found.size });
  };
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readFolder(join(dataFolder, folder))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) await walk(path);
      else if (isMovable(path)) await add(path, join(dataFolder, path));
    }
  };
  for (const folder of GROWING) await walk(folder);
  if (database !== undefined) {
    await add(DATABASE, database);
    await walk(TEMPLATES);
    for (const path of CHANGING) await add(path, join(dataFolder, path));
  }
  return { files };
}

/** What a handover left behind that a crash ended, at either side. */
export async function removeLeftovers(dataFolder: string): Promise<void> {
  for (const name of [DATABASE_COPY, `${DATABASE_COPY}.new`, STAGING]) await rm(join(dataFolder, name), { recursive: true, force: true });
}

async function readFolder(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
