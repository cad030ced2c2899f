import { afterAll } from 'vitest';
import { createDockerExecutor } from '../../electron/executor/docker.ts';
import { describeExecutor } from '../contract/executor.ts';
import { silentLogger } from '../fakes/silent-logger.ts';
import type { TestEngine } from './support/engine.ts';
import { ensureImage } from './support/images.ts';
import { startPodman, whyNoPodman } from './support/podman.ts';

const reason = whyNoPodman();
let engine: TestEngine | undefined;
afterAll(async () => await engine?.stop());

describeExecutor(
  `podman${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  async () => {
    engine = await startPodman();
    const { socket } = engine;
    const owner = { farm: 'contract-farm', node: 'contract-node-podman' };
    const limits = { allowNetwork: false };
    return {
      executor: createDockerExecutor({ ...owner, socket, limits, fastStart: false, slots: 2, logger: silentLogger }),
      image: await ensureImage('busybox', socket),
    };
  },
  { isSkipped: reason !== undefined },
);
