import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { ensureEngine } from '../../integration/support/engine.ts';
import { ensureImage } from '../../integration/support/images.ts';
import { findElectron } from './electron.ts';

/** Runs once before all tests: an Electron, a display without a screen, and a container engine with the smallest image. */
export default async function setup(): Promise<() => Promise<void>> {
  await findElectron();
  const display = process.platform === 'linux' ? await startDisplay() : undefined;
  const engine = await ensureEngine();
  await ensureImage('busybox', engine.socket);
  return async () => {
    await engine.stop();
    display?.kill();
  };
}

/** The server chooses a free number and says it once it is ready. */
async function startDisplay(): Promise<ChildProcess> {
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1600x1000x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const failed = once(server, 'exit').then(() => Promise.reject(new Error('Xvfb did not start')));
  const [number] = (await Promise.race([once(server.stdio[3] as Readable, 'data'), failed])) as [Buffer];
  failed.catch(() => {});
  process.env.DISPLAY = `:${number.toString().trim()}`;
  return server;
}
