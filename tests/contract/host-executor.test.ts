import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { createHostExecutor } from '../../electron/executor/host.ts';
import { silentLogger } from '../fakes/silent-logger.ts';
import { describeExecutor } from './executor.ts';

const folder = await mkdtemp(join(tmpdir(), 'lanyard-host-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

describeExecutor('host', async () => ({ executor: createHostExecutor({ enabled: true, folder, logger: silentLogger }), image: null }));
