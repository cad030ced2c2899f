import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** This machine once more, in memory: what is installed there is gone with it. Its `/tmp`, its network and its displays are the real ones. */
export interface ThrowawaySystem {
  run(program: string, ...args: string[]): Promise<string>;
  start(program: string, args: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess;
  remove(): Promise<void>;
}

/** Lays a file system over this machine's, in a mount namespace that lives until its standard input ends. */
const HOLD = `
set -e
mount -t tmpfs -o size=3g throwaway "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" throwaway "$1/root"
for folder in proc sys dev run tmp; do mount --rbind "/$folder" "$1/root/$folder"; done
echo ready
cat > /dev/null
`;

/** @returns why this machine cannot have one, where it cannot */
export async function openThrowaway(): Promise<ThrowawaySystem | string> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux can lay a file system over this one';
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-throwaway-'));
  const holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', HOLD, 'sh', folder], { stdio: 'pipe' });
  let complaint = '';
  holder.stderr.on('data', (bytes: Buffer) => {
    complaint += bytes.toString();
  });
  const ended = once(holder, 'exit');
  const isReady = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!isReady) {
    await rm(folder, { recursive: true });
    return `no file system can be laid over this one: ${complaint.trim()}`;
  }
  const inside = (program: string, args: readonly string[]) => [
    ...['--target', String(holder.pid), '--mount', 'chroot', join(folder, 'root')],
    program,
    ...args,
  ];
  return {
    async run(program, ...args) {
      const { stdout } = await run('nsenter', inside(program, args), { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
      return stdout.trim();
    },
    start: (program, args, environment) => spawn('nsenter', inside(program, args), { env: { ...environment }, stdio: 'ignore' }),
    async remove() {
      holder.stdin.end();
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}
