import { createDockerExecutor } from '../../electron/executor/docker.ts';
import { describeExecutor } from '../contract/executor.ts';
import { silentLogger } from '../fakes/silent-logger.ts';
import { ENGINE_SOCKET } from './support/engine.ts';
import { ensureImage } from './support/images.ts';

for (const fastStart of [false, true]) {
  describeExecutor(fastStart ? 'docker with holders' : 'docker', async () => ({
    executor: createDockerExecutor({
      farm: 'contract-farm',
      node: `contract-node-${fastStart}`,
      socket: ENGINE_SOCKET,
      limits: { allowNetwork: false },
      fastStart,
      slots: 2,
      logger: silentLogger,
    }),
    image: await ensureImage('busybox'),
  }));
}
