import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LanyardError } from '../../shared/errors.ts';
import type { OutputView } from '../../shared/view.ts';
import type { Client } from '../api/client.ts';
import type { Context, Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { parseTarget } from './targets.ts';
import { plain } from './text.ts';
import { formatBytes } from './units.ts';

export const outputs: Handler<{ readonly save?: string }> = async (context, [id = ''], options) => {
  const { job } = parseTarget(id, 1);
  const client = await context.connect();
  if (options.save !== undefined) {
    const saved = await saveOutputs(context, client, job, resolve(context.cwd, options.save));
    if (context.options.json === true) context.terminal.json({ outputs: saved });
    else context.terminal.note(`${saved.length} ${saved.length === 1 ? 'file' : 'files'} in ${resolve(context.cwd, options.save)}`);
    return EXIT.ok;
  }
  const answer = await client.call('listOutputs', { params: { job }, signal: context.signal });
  if (context.options.json === true) context.terminal.json(answer);
  else
    context.terminal.table(
      [{ title: 'TASK' }, { title: 'SIZE', align: 'right' }, { title: 'PATH' }],
      answer.outputs.map((output) => [output.task, formatBytes(output.bytes), output.path]),
    );
  return EXIT.ok;
};

/** A saved output with its path on this machine. */
export type SavedOutput = OutputView & { readonly savedAs: string };

/** Downloads all outputs of a job. Files of the same name from different tasks go to a folder of each task. */
export async function saveOutputs(context: Context, client: Client, job: number, folder: string): Promise<SavedOutput[]> {
  const { outputs: list } = await client.call('listOutputs', { params: { job }, signal: context.signal });
  const saved: SavedOutput[] = [];
  for (const { output, path } of placeOutputs(list, folder)) {
    context.terminal.progress(`saving ${saved.length + 1} of ${list.length}: ${plain(output.path)}`);
    await saveFile(client, output, path, context.signal);
    saved.push({ ...output, savedAs: path });
  }
  context.terminal.progress(undefined);
  return saved;
}

/**
 * Decides where each output goes.
 * @throws LanyardError INVALID for a path that would leave `folder`, whoever let it through
 */
export function placeOutputs(list: readonly OutputView[], folder: string): { readonly output: OutputView; readonly path: string }[] {
  // Compared without case, as some file systems do.
  const names = new Set(list.map((output) => output.path.toLowerCase()));
  const clash = names.size < list.length;
  return list.map((output) => {
    const index = output.task.replace(/^.*\./, '');
    const path = join(folder, ...(clash ? [`task-${index}`] : []), ...output.path.split('/'));
    const odd = output.path.split('/').some((part) => part === '' || part === '.' || part === '..' || /[\\:\0]/.test(part));
    if (odd || !/^\d+$/.test(index) || !path.startsWith(resolve(folder) + sep))
      throw new LanyardError({
        code: 'INVALID',
        message: `the output "${plain(output.path)}" has a name that is not saved: it could leave the folder`,
      });
    return { output, path };
  });
}

/** Written beside and renamed, so that no half file ever has the name of a whole one. */
async function saveFile(client: Client, output: OutputView, path: string, signal: AbortSignal): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${randomBytes(4).toString('hex')}.part`;
  try {
    await pipeline(await client.download(output, signal), createWriteStream(partial), { signal });
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
