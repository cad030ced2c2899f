import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { JobSpecInput } from '../../shared/job.ts';
import { type PrivateEngine, startPrivateEngine } from './support/engine.ts';
import { startFarm, type TestFarm } from './support/farm.ts';
import { ensureImage } from './support/images.ts';

/** A container engine that stops under a running task, and comes back. */

let engine: PrivateEngine;
let image: string;
let farm: TestFarm | undefined;
beforeAll(async () => {
  engine = await startPrivateEngine();
  image = await ensureImage('busybox', engine.socket);
});
afterEach(async () => {
  await farm?.close();
  farm = undefined;
});
afterAll(() => engine?.stop());

/** Its first attempt would run for hours; each later one is done at once. */
const onceEndless = (): JobSpecInput => ({
  command: 'case $LANYARD_ATTEMPT in *.1) echo first; sleep 36000;; esac; echo again',
  image,
  maxRetries: 0,
  requirements: { cpu: 0.1, ramMb: 64 },
});

test.for(['SIGTERM', 'SIGKILL'] as const)(
  'an engine that ends by %s costs no retry; the node says so, and serves again when it is back',
  async (signal) => {
    farm = await startFarm();
    await farm.addWorker('engine', { docker: true, dockerSocket: engine.socket });
    const { id } = await farm.submit(onceEndless());
    await farm.until(id, ({ state }) => state === 'RUNNING');
    const sickened = farm.untilNode('engine', ({ status }) => status === 'UNHEALTHY');
    await engine.kill(signal);

    expect((await sickened).reason).toContain('container engine');
    // It takes the executor out of what it offers, so that nothing is tried there in vain.
    await farm.untilNode('engine', ({ description }) => !description.executors.includes('docker'));
    expect(await farm.until(id, ({ state }) => state === 'QUEUED')).toMatchObject({ retries: 0 });
    const explanation = await farm.client.call('explainJob', { params: { job: id } });
    expect(explanation.obstacles.map(({ constraint }) => constraint)).toContain('executor');
    expect(explanation.summary).toContain('container engine');

    await engine.start();
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
    const { attempts } = await farm.client.call('getTask', { params: { job: id, index: 0 } });
    expect(attempts[0]).toMatchObject({ reason: 'infrastructure', message: expect.stringContaining('container engine') });
    expect(attempts.at(-1)).toMatchObject({ reason: 'completed' });
    await farm.untilNode('engine', ({ status, reason }) => status === 'IDLE' && reason === null);
  },
);
