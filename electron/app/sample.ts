import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JOB_FILE, jobSpecSchema } from '../../shared/job.ts';
import type { Client } from '../api/client.ts';
import { fileThreads } from '../files/threads/file-threads.ts';

/** Frames of the job that comes with the app: enough to see it spread and finish, on any machine, in a minute. */
const FRAMES = '1-12';

/**
 * Submits the example animation, to see the farm at work. It runs without a container where that is allowed here, else in an image that
 * has Node in it.
 * @returns the number of the job
 */
export async function submitSample(client: Client, folder: string, isHostAllowed: boolean): Promise<number> {
  const description = jobSpecSchema.parse(JSON.parse(await readFile(join(folder, JOB_FILE), 'utf8')));
  const temporary = await mkdtemp(join(tmpdir(), 'lanyard-sample-'));
  try {
    const zip = join(temporary, 'input.zip');
    await fileThreads.zipFolder(folder, zip);
    const { blob } = await client.uploadBlob(zip);
    const tasks = { kind: 'frames', frames: FRAMES } as const;
    const image = isHostAllowed ? null : 'node:24-slim';
    return (await client.call('submitJob', { body: { ...description, image, tasks, input: blob } })).id;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
