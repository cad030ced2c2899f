import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { median } from './statistics.ts';

export interface MachineFacts {
  /** The day, ISO 8601. */
  readonly date: string;
  /** Name and value, for people. */
  readonly machine: Readonly<Record<string, string>>;
}

const SYNCED_WRITES = 50;

/** What the figures depend on. */
export async function machineFacts(folder: string): Promise<MachineFacts> {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: {
      CPU: `${processors.length} x ${processors[0]?.model.trim() ?? 'unknown'}`,
      memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
      'a synced write of 4 KiB': `${(await syncedWriteMs(folder)).toFixed(2)} ms`,
      system: `${process.platform} ${release()} ${process.arch}`,
      Node: process.version,
      Redis: await versionOf('redis-server', /v=(\S+)/),
      Docker: await versionOf('docker', /version (\S+?),/),
    },
  };
}

/** Group commits are worth what a sync costs; on some disks that is nothing. */
async function syncedWriteMs(folder: string): Promise<number> {
  const file = await open(join(folder, 'synced'), 'w');
  const page = Buffer.alloc(4_096, 1);
  const times: number[] = [];
  for (let count = 0; count < SYNCED_WRITES; count++) {
    const begin = performance.now();
    await file.write(page);
    await file.datasync();
    times.push(performance.now() - begin);
  }
  await file.close();
  return median(times);
}

async function versionOf(program: string, pattern: RegExp): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['--version']).catch(() => ({ stdout: '' }));
  return pattern.exec(stdout)?.[1] ?? 'not found';
}
