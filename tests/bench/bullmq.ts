import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Queue } from 'bullmq';
import type { BullAnswer, BullQuestion, BullWorkerOptions } from './programs/bullmq-worker.ts';
import { type Program, startProgram } from './programs.ts';

/** The queue that is compared with: BullMQ on a Redis that writes every change to disk before it answers, as Lanyard does. */
export interface BullFarm {
  readonly queue: Queue;
  readonly worker: Program<BullQuestion, BullAnswer>;
  close(): Promise<void>;
}

const QUEUE = 'bench';

export async function startBullFarm(folder: string, concurrency: number): Promise<BullFarm> {
  const port = await freePort();
  const redis = await startRedis(await mkdtemp(join(folder, 'redis-')), port);
  const queue = new Queue(QUEUE, { connection: { host: '127.0.0.1', port } });
  await queue.waitUntilReady();
  const options: BullWorkerOptions = { port, queue: QUEUE, concurrency };
  const worker: BullFarm['worker'] = startProgram(new URL('./programs/bullmq-worker.ts', import.meta.url), options);
  await worker.ask({ type: 'ready' });
  return {
    queue,
    worker,
    async close() {
      await worker.end();
      await queue.close();
      const exited = once(redis, 'exit');
      redis.kill('SIGTERM');
      await exited;
    },
  };
}

/** @returns once it answers */
async function startRedis(folder: string, port: number): Promise<ChildProcess> {
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
  const own = ['--dir', folder, '--port', String(port), '--bind', '127.0.0.1'];
  const redis = spawn('redis-server', [...durable, ...own], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(redis, 'spawn');
  process.once('exit', () => redis.kill('SIGKILL'));
  const lines = createInterface({ input: redis.stdout });
  await new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line.includes('Ready to accept connections')) resolve();
    });
  });
  return redis;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
