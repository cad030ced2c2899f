import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { listens, mountControlGroups, type TestEngine, unmountBelow } from './engine.ts';

const run = promisify(execFile);
const START_MS = 60_000;

/** Why Podman cannot be tested on this machine; undefined where it can. */
export function whyNoPodman(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
  for (const program of ['podman', 'catatonit']) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' });
    } catch {
      return `${program} is not installed`;
    }
  }
  return undefined;
}

/** A Podman with containers and images of its own. */
export async function startPodman(): Promise<TestEngine> {
  mountControlGroups();
  const folder = mkdtempSync(join(tmpdir(), 'lanyard-podman-'));
  const socket = join(folder, 'podman.sock');
  const own = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--tmpdir', join(folder, 'tmp')];
  const service = spawn('podman', [...own, 'system', 'service', '--time=0', `unix://${socket}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  service.stderr.on('data', (text) => {
    said = `${said}${text}`.slice(-4_000);
  });
  const deadline = Date.now() + START_MS;
  while (!(await listens(socket))) {
    if (service.exitCode !== null || Date.now() > deadline) throw new Error(`podman did not start: ${said}`);
    await pause(50);
  }
  return {
    socket,
    async stop() {
      await run('podman', [...own, 'rm', '--all', '--force', '--time=0']);
      const ended = once(service, 'exit');
      service.kill();
      await ended;
      unmountBelow(folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
