import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, createClient } from '../../electron/api/client.ts';
import type { JobSpecInput } from '../../shared/job.ts';
import type { CoordinatorSettings, WorkerSettings } from '../../shared/settings.ts';
import type { JobView } from '../../shared/view.ts';
import { inviteWorker } from '../fakes/devices.ts';
import { hearOfEnds, type JobEnds } from './job-ends.ts';
import type { CoordinatorAnswer, CoordinatorQuestion } from './programs/coordinator.ts';
import type { StartAnswer, StartQuestion, WorkerOptions } from './programs/worker.ts';
import { type Program, startProgram } from './programs.ts';

/** A whole farm under measurement: a coordinator and one worker, each a process of its own, and this process as its client. */
export interface BenchFarm {
  readonly client: Client;
  readonly url: string;
  readonly token: string;
  readonly coordinator: Program<CoordinatorQuestion, CoordinatorAnswer>;
  readonly worker: Program<StartQuestion, StartAnswer>;
  /** Is told of it by the event stream: asking again and again would take the CPU from what is measured. @throws when it did not complete */
  untilCompleted(job: number): Promise<JobView>;
  close(): Promise<void>;
}

export interface BenchFarmOptions {
  readonly folder: string;
  readonly coordinator?: Partial<CoordinatorSettings>;
  readonly worker: Partial<WorkerSettings>;
  /** With the worker's real executors; else commands are not run. */
  readonly real?: boolean;
}

/** Attempts that the worker without commands takes at once; the other side's concurrency too. */
export const AT_ONCE = 200;

/** What costs nothing to run and next to nothing to reserve. */
export const NO_OP: JobSpecInput = { name: 'no-op', command: 'true', requirements: { cpu: 0.01, ramMb: 1 }, notify: 'none' };

export async function startBenchFarm(options: BenchFarmOptions): Promise<BenchFarm> {
  const folder = await mkdtemp(join(options.folder, 'farm-'));
  const coordinator: BenchFarm['coordinator'] = startProgram(new URL('./programs/coordinator.ts', import.meta.url), {
    dataFolder: join(folder, 'coordinator'),
    settings: options.coordinator ?? {},
  });
  const { connection } = await coordinator.ask({ type: 'connection' });
  const client = createClient(connection);
  const workerOptions: WorkerOptions = {
    dataFolder: join(folder, 'worker'),
    invite: await inviteWorker(client),
    settings: options.worker,
    real: options.real ?? false,
  };
  const worker: BenchFarm['worker'] = startProgram(new URL('./programs/worker.ts', import.meta.url), workerOptions);
  while ((await client.call('listNodes')).nodes.every(({ status }) => status === 'OFFLINE')) await pause(20);
  // Opened when it is first wanted: other benches have nobody who watches.
  let ends: JobEnds | undefined;
  return {
    client,
    url: connection.url,
    token: connection.token,
    coordinator,
    worker,
    untilCompleted(job) {
      ends ??= hearOfEnds(client);
      return ends.completed(job);
    },
    async close() {
      await ends?.close();
      await worker.end();
      await coordinator.end();
    },
  };
}
