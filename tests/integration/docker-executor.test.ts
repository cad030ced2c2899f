import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDockerExecutor, type DockerExecutorOptions } from '../../electron/executor/docker.ts';
import type { Executor, Run, RunSpec } from '../../electron/ports/executor.ts';
import { Output, removeFolders, runSpec, started } from '../contract/executor.ts';
import { silentLogger } from '../fakes/silent-logger.ts';
import { ENGINE_SOCKET, startPrivateEngine } from './support/engine.ts';
import { ensureImage } from './support/images.ts';

/** What only containers promise: confinement, and what becomes of containers. */

const docker = new Docker({ socketPath: ENGINE_SOCKET });
const open: Executor[] = [];
let image: string;

function create(changes: Partial<DockerExecutorOptions> = {}): Executor {
  const standard = { farm: 'test-farm', socket: ENGINE_SOCKET, limits: { allowNetwork: false }, fastStart: false, slots: 2 };
  const executor = createDockerExecutor({ node: `test-${open.length}`, logger: silentLogger, ...standard, ...changes });
  open.push(executor);
  return executor;
}

async function begin(
  executor: Executor,
  command: RunSpec['command'],
  changes: Partial<RunSpec> = {},
): Promise<{ run: Run; output: Output }> {
  const spec = await runSpec(command, image, changes);
  const output = new Output();
  return { run: started(await executor.start(spec, output.sink)), output };
}

/** Runs a command to its end. */
async function runToEnd(executor: Executor, command: RunSpec['command'], changes: Partial<RunSpec> = {}) {
  const { run, output } = await begin(executor, command, changes);
  return { end: await run.ended, ...output.text };
}

function containersOf(node: string, label = 'lanyard.attempt') {
  return docker.listContainers({ all: true, filters: { label: [`lanyard.node=${node}`, label] } });
}

beforeAll(async () => {
  image = await ensureImage('busybox');
});
afterAll(async () => {
  for (const executor of open) await executor.close();
  await removeFolders();
});

describe('confinement', () => {
  it('reports a command that needs more memory than its limit as such', async () => {
    const { end } = await runToEnd(create(), 'head -c 200m /dev/zero | tail', { ramMb: 32 });
    expect(end).toMatchObject({ reason: 'out-of-memory', message: expect.stringContaining('32 MiB') });
  });

  it("lowers the memory to what the machine's owner allows", async () => {
    const executor = create({ limits: { allowNetwork: false, dockerMemoryMb: 24 } });
    const { end } = await runToEnd(executor, 'head -c 200m /dev/zero | tail', { ramMb: 1_024 });
    expect(end).toMatchObject({ reason: 'out-of-memory', message: expect.stringContaining('24 MiB') });
  });

  it('bounds the number of processes', async () => {
    const script = 'i=0; while [ $i -lt 3000 ]; do sleep 30 & i=$((i+1)); done; echo all started';
    const { end, stdout, stderr } = await runToEnd(create(), script, { ramMb: 512 });
    expect(end).toMatchObject({ reason: 'exit' });
    expect(stdout).not.toContain('all started');
    expect(stderr).toContain("can't fork");
  });

  it('bounds the CPU', async () => {
    const node = 'test-cpu';
    const { run, output } = await begin(create({ node }), 'echo ready; while :; do :; done', { cpu: 0.2 });
    await output.seen('ready');
    const [container] = await containersOf(node);
    const found = docker.getContainer(container?.Id ?? '');
    expect((await found.inspect()).HostConfig.NanoCpus).toBe(200_000_000);
    // The engine samples for a second: what the kernel says it held back is proof enough.
    const { cpu_stats: cpu } = await found.stats({ stream: false });
    expect(cpu.throttling_data.throttled_periods).toBeGreaterThan(0);
    await run.stop(0);
  });

  it('gives no network, not even when the job asks and the owner has not allowed it', async () => {
    const executor = create();
    const { stdout } = await runToEnd(executor, 'ls /sys/class/net; cat /proc/net/route | wc -l');
    expect(stdout).toBe('lo\n1\n');
    const refused = await executor.start(await runSpec('true', image, { network: true }), () => undefined);
    expect(refused).toMatchObject({ reason: 'executor-unavailable', message: expect.stringContaining('network') });
  });

  it('gives a network when the job asks and the owner allows it', async () => {
    const executor = create({ limits: { allowNetwork: true }, fastStart: true });
    const withNetwork = await runToEnd(executor, 'ls /sys/class/net', { network: true });
    expect(withNetwork.stdout.split('\n')).toContain('eth0');
    expect((await runToEnd(executor, 'ls /sys/class/net')).stdout).toBe('lo\n');
  });

  it('lets nothing be written but the folder and a sized /tmp', async () => {
    const script =
      'touch /x /etc/x /bin/x; touch /work/kept && touch /tmp/kept && echo yes; dd if=/dev/zero of=/tmp/big bs=1M count=64 || echo full';
    const { stdout, stderr } = await runToEnd(create(), script, { ramMb: 64 });
    expect(stdout).toBe('yes\nfull\n');
    expect(stderr.match(/Read-only file system/g)).toHaveLength(3);
  });

  it('runs as nobody special, without capabilities, under seccomp, without new privileges', async () => {
    const { stdout } = await runToEnd(create(), "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; echo $HOME");
    const user = process.getuid?.() === 0 ? 65_534 : process.getuid?.();
    expect(stdout.replace(/\t/g, ' ')).toBe(
      `${user}\nCapEff: 0000000000000000\nCapBnd: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n/tmp\n`,
    );
  });
});

describe('images', () => {
  it('refuses an image that nobody has, with what the engine said', async () => {
    const executor = create();
    const name = 'registry.invalid/no/such-image:1';
    const phases: unknown[] = [];
    const refused = await executor.prepare(name, (phase) => phases.push(phase), new AbortController().signal);
    expect(refused).toMatchObject({
      reason: 'image-unavailable',
      message: expect.stringContaining(`The image ${name} is not on this node`),
    });
    expect(await executor.start(await runSpec('true', name), () => undefined)).toMatchObject({ reason: 'image-unavailable' });
  });

  it("refuses an image that the machine's owner does not allow", async () => {
    const executor = create({ limits: { allowNetwork: false, allowedImages: ['debian:*'] } });
    const refused = await executor.start(await runSpec('true', image), () => undefined);
    expect(refused).toMatchObject({ reason: 'image-unavailable', message: expect.stringContaining('does not allow') });
  });

  it('notices an image that went away since it was last used', async () => {
    const executor = create();
    const copy = 'lanyard-test/short-lived:1';
    await docker.getImage(image).tag({ repo: 'lanyard-test/short-lived', tag: '1' });
    const spec = await runSpec('true', copy);
    await started(await executor.start(spec, () => undefined)).ended;
    await docker.getImage(copy).remove({ noprune: true });
    expect(await executor.start(spec, () => undefined)).toMatchObject({ reason: 'image-unavailable' });
  });
});

describe('what is left of containers', () => {
  it('is nothing, once the executor is closed', async () => {
    const node = 'test-tidy';
    const executor = create({ node, fastStart: true });
    await Promise.all(Array.from({ length: 4 }, () => runToEnd(executor, 'true')));
    await executor.close();
    expect(await docker.listContainers({ all: true, filters: { label: [`lanyard.node=${node}`] } })).toEqual([]);
  });

  it('is removed by the next life of the same node, and of no other', async () => {
    const node = 'test-stray';
    const [mine, other] = [create({ node, fastStart: true }), create({ node: 'test-neighbour' })];
    await runToEnd(mine, 'true');
    const runs = [await begin(mine, 'echo ready; sleep 600'), await begin(other, 'echo ready; sleep 600')];
    await Promise.all(runs.map(({ output }) => output.seen('ready')));
    await create({ node }).removeStrays();
    expect(await docker.listContainers({ all: true, filters: { label: [`lanyard.node=${node}`] } })).toEqual([]);
    expect(await containersOf('test-neighbour')).toHaveLength(1);
    expect(await runs[0]?.run.ended).toMatchObject({ reason: 'exit', exitCode: 137 });
    await runs[1]?.run.stop(0);
  });
});

describe('holders', () => {
  const networkOf = async (node: string): Promise<string[]> =>
    (await containersOf(node)).filter(({ State }) => State === 'running').map(({ HostConfig }) => HostConfig.NetworkMode);
  const holdersOf = async (node: string) => (await containersOf(node, 'lanyard.holder')).filter(({ State }) => State === 'running');

  /** Runs until the executor has `count` holders: they are made behind the back of the tasks. */
  async function warm(executor: Executor, node: string, count: number): Promise<string[]> {
    for (;;) {
      const runs = await Promise.all(Array.from({ length: count }, () => begin(executor, 'true')));
      await Promise.all(runs.map(({ run }) => run.ended));
      const holders = await holdersOf(node);
      if (holders.length >= count) return holders.map(({ Id }) => Id);
    }
  }

  it('are shared by tasks that follow each other', async () => {
    const node = 'test-sequence';
    const executor = create({ node, fastStart: true, slots: 1 });
    const [holder] = await warm(executor, node, 1);
    for (let round = 0; round < 3; round += 1) {
      const { run, output } = await begin(executor, 'echo ready; sleep 60');
      await output.seen('ready');
      expect(await networkOf(node)).toEqual([`container:${holder}`]);
      await run.stop(0);
    }
    expect(await holdersOf(node)).toHaveLength(1);
  });

  it('are never shared by tasks that run at the same time', async () => {
    const node = 'test-concurrence';
    const executor = create({ node, fastStart: true, slots: 2 });
    await warm(executor, node, 2);
    const runs = await Promise.all([1, 2, 3].map(() => begin(executor, 'echo ready; readlink /proc/self/ns/net; sleep 60')));
    await Promise.all(runs.map(({ output }) => output.seen('net:')));
    expect(new Set(runs.map(({ output }) => output.text.stdout)).size).toBe(3);
    expect((await networkOf(node)).filter((mode) => mode === 'none')).toHaveLength(1);
    await Promise.all(runs.map(({ run }) => run.stop(0)));
    expect(await holdersOf(node)).toHaveLength(2);
  });

  it('that have died are replaced', async () => {
    const node = 'test-dead';
    const executor = create({ node, fastStart: true, slots: 1 });
    const [dead] = await warm(executor, node, 1);
    await docker.getContainer(dead as string).kill();
    expect((await runToEnd(executor, 'echo still works')).stdout).toBe('still works\n');
    const [living] = await warm(executor, node, 1);
    expect(living).not.toBe(dead);
  });
});

describe('an engine that goes away', () => {
  it.for(['SIGTERM', 'SIGKILL'] as const)('by %s is an infrastructure failure, and is found again', async (signal) => {
    const engine = await startPrivateEngine();
    try {
      await ensureImage('busybox', engine.socket);
      const node = `test-away-${signal}`;
      const executor = create({ socket: engine.socket, node, fastStart: true });
      await runToEnd(executor, 'true');
      const { run, output } = await begin(executor, 'echo ready; sleep 600');
      await output.seen('ready');
      await engine.kill(signal);
      expect(await run.ended).toMatchObject({ reason: 'infrastructure', message: expect.stringContaining('container engine') });
      expect(await executor.status()).toMatchObject({ available: false });
      const refused = await executor.start(await runSpec('true', image), () => undefined);
      expect(refused).toMatchObject({ reason: 'infrastructure', message: expect.stringMatching(/Start it|Install/) });

      await engine.start();
      expect(await executor.status()).toMatchObject({ available: true });
      await executor.removeStrays();
      expect((await runToEnd(executor, 'echo again')).stdout).toBe('again\n');
      await executor.close();
      const privateDocker = new Docker({ socketPath: engine.socket });
      expect(await privateDocker.listContainers({ all: true })).toEqual([]);
    } finally {
      await engine.stop();
    }
  });
});
