import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

/** A display without a screen, where that is how windows are shown. The server chooses a free number and says it once it is ready. @returns how to end it */
export async function startDisplay(): Promise<() => void> {
  if (process.platform !== 'linux') return () => {};
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1920x1080x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const failed = once(server, 'exit').then(() => Promise.reject(new Error('Xvfb did not start')));
  const [number] = (await Promise.race([once(server.stdio[3] as Readable, 'data'), failed])) as [Buffer];
  failed.catch(() => {});
  process.env.DISPLAY = `:${number.toString().trim()}`;
  return () => server.kill();
}
