import type { Executor } from '../../../electron/ports/executor.ts';
import type { WorkerSettings } from '../../../shared/settings.ts';
import { startTestNode } from '../../fakes/devices.ts';
import { createNullExecutor } from '../../fakes/null-executor.ts';
import { programOptions, serve } from '../programs.ts';
import { recordStarts } from './starts.ts';

/** A worker; without `real` it runs nothing. */

export interface WorkerOptions {
  readonly dataFolder: string;
  readonly invite: string;
  readonly settings: Partial<WorkerSettings>;
  /** With the executors that the settings switch on. */
  readonly real: boolean;
}

/** Asks when the task of this number, from 1, started here. */
export interface StartQuestion {
  readonly start: number;
}
/** See `Starts`. */
export interface StartAnswer {
  readonly at: string;
}

const { real, settings, dataFolder, invite } = programOptions<WorkerOptions>();

const starts = recordStarts();

function watchedExecutor(): Executor {
  const inner = createNullExecutor();
  return {
    ...inner,
    start(run, sink) {
      starts.note();
      return inner.start(run, sink);
    },
  };
}

const worker = await startTestNode({
  dataFolder,
  invite,
  worker: settings,
  ...(real ? {} : { executors: [watchedExecutor()] }),
});

serve<StartQuestion, StartAnswer>(async ({ start }) => ({ at: await starts.at(start) }));

process.once('SIGTERM', async () => {
  await worker.close();
  process.exit();
});
