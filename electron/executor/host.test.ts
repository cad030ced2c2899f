import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Output, removeFolders, runSpec, started } from '../../tests/contract/executor.ts';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import type { Run, RunSpec } from '../ports/executor.ts';
import { createHostExecutor, hostEnvironment } from './host.ts';

/** What only the host executor does; the rest is in `tests/contract/host-executor.test.ts`. */

const folder = await mkdtemp(join(tmpdir(), 'lanyard-host-'));
afterAll(async () => {
  await removeFolders();
  await rm(folder, { recursive: true, force: true });
});

const executor = createHostExecutor({ enabled: true, folder, logger: silentLogger });

async function begin(command: RunSpec['command'], output: Output, changes: Partial<RunSpec> = {}): Promise<Run> {
  const spec = await runSpec(command, null, changes);
  return started(await executor.start(spec, output.sink));
}

describe('the host executor', () => {
  it('runs nothing while it is switched off', async () => {
    const off = createHostExecutor({ enabled: false, folder, logger: silentLogger });
    expect(await off.status()).toMatchObject({ available: false });
    expect(await off.start(await runSpec('true', null), () => undefined)).toMatchObject({ reason: 'executor-unavailable' });
  });

  it('shows a command the GPUs that it was given and no others', async () => {
    const seen = async (gpus: readonly string[]) => {
      const output = new Output();
      const run = await begin('echo "[$CUDA_VISIBLE_DEVICES]"', output, { gpus, env: { CUDA_VISIBLE_DEVICES: '0,1,2' } });
      await run.ended;
      return output.text.stdout.trim();
    };
    expect(await seen(['GPU-1f', 'GPU-2a', '0000:03:00.0'])).toBe('[GPU-1f,GPU-2a]');
    expect(await seen([])).toBe('[]');
  });

  it('says why a command could not be started', async () => {
    const refuse = async (changes: Partial<RunSpec>) =>
      await executor.start(await runSpec(['no-such-program'], null, changes), () => undefined);
    expect(await refuse({})).toEqual({ reason: 'exit', message: 'The command no-such-program was not found on this machine.' });
    expect(await refuse({ command: ['/etc/passwd'] })).toMatchObject({
      reason: 'exit',
      message: expect.stringContaining('permission denied'),
    });
    expect(await refuse({ command: ['true', 'x'.repeat(200_000)] })).toMatchObject({
      reason: 'exit',
      message: expect.stringContaining('too long'),
    });
    expect(await refuse({ workdir: 'not-there' })).toMatchObject({
      reason: 'infrastructure',
      message: expect.stringContaining('not-there'),
    });
  });

  it('does not wait for a process that has left the group and keeps the pipes', async () => {
    const output = new Output();
    const run = await begin('setsid sleep 30 & echo $!; exit 0', output);
    expect(await run.ended).toMatchObject({ reason: 'completed' });
    process.kill(Number(output.text.stdout), 'SIGKILL');
  });

  it('lets what the command started use the rest of the grace', async () => {
    const output = new Output();
    const inner = "trap 'sleep 0.1; echo saved; exit 0' TERM; echo ready; while :; do sleep 0.02; done";
    const run = await begin(`sh -c "${inner.replaceAll('"', '\\"')}" & wait`, output);
    await output.seen('ready');
    await run.stop(20_000);
    expect(output.text.stdout).toBe('ready\nsaved\n');
  });

  it('passes on what programs need and nothing else', () => {
    const own = { PATH: '/opt/bin', LANG: 'de_DE.UTF-8', API_TOKEN: 'secret', HOME: '/home/ann' };
    expect(hostEnvironment('/data/7', { FRAME: '7', LANG: 'C' }, own)).toEqual({
      PATH: '/opt/bin',
      HOME: '/data/7',
      LANG: 'C',
      FRAME: '7',
    });
    expect(hostEnvironment('/data/7', {}, {})).toEqual({ PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/data/7', LANG: 'C.UTF-8' });
  });
});
