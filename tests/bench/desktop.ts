import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ElectronApplication } from '@playwright/test';
import type { Client } from '../../electron/api/client.ts';
import { openDevice } from '../../electron/compose/device.ts';
import { joinFarm } from '../../electron/compose/join.ts';
import { createLogger } from '../../electron/machine/logger.ts';
import { startDisplay } from '../desktop/support/display.ts';
import { createHome } from '../desktop/support/home.ts';
import { type Bench, type Row, valueRow } from './bench.ts';

const logger = createLogger({ level: 'error' });
const MIB = 1024 * 1024;
const TASKS = 8;
/** One file of those that are moved (MiB), and how many of them a second. */
const FILE_MIB = 50;
const FILES_PER_SECOND = 2;

/** The desktop app: whether its main process stays responsive at work, and what it costs at rest. */
export const desktop: Bench = {
  name: 'desktop app',
  async run({ quick, folder }) {
    const endDisplay = await startDisplay();
    const home = await createHome({ settings: { worker: { maxParallel: TASKS, docker: false } } });
    const other = await createHome({ hasFarm: false });
    try {
      const app = await home.start(['--hidden']);
      const client = await home.client();
      const { text } = await client.call('createInvite', { body: { role: 'worker', approve: true } });
      await joinFarm(text, {
        device: await openDevice(other.data),
        name: 'worker',
        logger,
        signal: AbortSignal.timeout(30_000),
        waiting() {},
      });
      const worker = await other.start(['--hidden']);
      while ((await client.call('listNodes')).nodes.length < 2) await pause(100);
      const seconds = quick ? 10 : 60;
      const idle = [...(await atRest(worker, 'a worker', 1, seconds)), ...(await atRest(app, 'a coordinator that works', null, seconds))];
      await other.remove();
      return [...idle, ...(await atWork(app, client, folder, quick ? 8 : 30))];
    } finally {
      await other.remove();
      await home.remove();
      endDisplay();
    }
  },
};

/** All processes of the app, hidden in the tray, with nothing to do. Processor time is counted, not estimated; memory is each process's share. */
async function atRest(app: ElectronApplication, what: string, most: number | null, seconds: number): Promise<Row[]> {
  const processes = await app.evaluate(({ app: electron }) => electron.getAppMetrics().map(({ pid }) => pid));
  const ticks = () => processes.reduce((sum, pid) => sum + ticksOf(pid), 0);
  // What the start itself costs is over then.
  await pause(10_000);
  const before = ticks();
  await pause(seconds * 1_000);
  const cpuPercent = (ticks() - before) / seconds;
  const memoryKb = processes.reduce((sum, pid) => sum + shareOf(pid), 0);
  return [
    valueRow(`CPU of the app in the tray, ${what}`, '% of a core', cpuPercent, most === null ? null : { most }),
    valueRow(`memory of all its processes, ${what}`, 'MiB', memoryKb / 1024, null),
  ];
}

/** Processor time of a process, in hundredths of a second (proc_pid_stat(5), utime and stime). */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/** Memory of a process, what it shares with others divided among them (KiB). */
function shareOf(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
}

/** Eight tasks that print, and files that are sent to it and hashed, stored and verified there. */
async function atWork(app: ElectronApplication, client: Client, folder: string, seconds: number): Promise<Row[]> {
  const { id } = await client.call('submitJob', {
    body: {
      name: 'at work',
      command: 'while :; do echo a line of a log; sleep 0.05; done',
      image: null,
      tasks: { kind: 'count', count: TASKS },
      requirements: { cpu: 0.1, ramMb: 32 },
    },
  });
  while ((await client.call('getJob', { params: { job: id } })).counts.RUNNING < TASKS) await pause(100);
  const path = join(folder, 'moved.bin');
  const bytes = randomBytes(FILE_MIB * MIB);
  await app.evaluate(() => {
    const { monitorEventLoopDelay } = process.getBuiltinModule('node:perf_hooks');
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    (globalThis as { benchDelay?: typeof delay }).benchDelay = delay;
  });
  const beganAt = performance.now();
  const elapsed = () => (performance.now() - beganAt) / 1_000;
  let files = 0;
  while (elapsed() < seconds) {
    // Another file each time: what is known is not sent.
    bytes.writeUInt32LE(files, 0);
    await writeFile(path, bytes);
    await client.uploadBlob(path);
    files += 1;
    await pause(Math.max(0, (files / FILES_PER_SECOND - elapsed()) * 1_000));
  }
  const took = elapsed();
  const { p99Ms, maxMs } = await app.evaluate(() => {
    const delay = (globalThis as { benchDelay?: ReturnType<typeof import('node:perf_hooks').monitorEventLoopDelay> }).benchDelay;
    // The histogram measures the time between two looks, of which 1 ms is meant to be.
    return { p99Ms: (delay?.percentile(99) ?? 0) / 1e6 - 1, maxMs: (delay?.max ?? 0) / 1e6 - 1 };
  });
  await client.call('cancelJob', { params: { job: id } });
  await rm(path);
  return [
    valueRow(`event loop delay of the main process, p99, with ${TASKS} tasks and files moving`, 'ms', p99Ms, { most: 20 }),
    valueRow('the longest such delay', 'ms', maxMs, null),
    valueRow('files moved meanwhile', 'MB/s', (files * FILE_MIB * MIB) / 1e6 / took, { least: 100 }),
  ];
}
