import type { Executor } from '../../../electron/ports.ts';
import type { WorkerSettings } from '../../../shared/settings.ts';
import { startTestNode } from '../../fakes/devices.ts';
import { createNullExecutor } from '../../fakes/null-executor.ts';
import { programOptions, serve } from '../programs.ts';

/** A worker; without `real` it runs nothing. */

export interface WorkerOptions {
  readonly dataFolder: string;
  readonly invite: string;
  readonly settings: Partial<WorkerSettings>;
  /** With the executors that the settings switch on. */
  readonly real: boolean;
}

/** Asks for the next start of a task. */
export interface StartQuestion {
  readonly type: 'next-start';
}
/** The steady clock of the machine at that start, ns (`process.hrtime`), which is the same for all its processes. */
export interface StartAnswer {
  readonly startedAt: string;
}

const { real, settings, dataFolder, invite } = programOptions<WorkerOptions>();

let onStart: ((answer: StartAnswer) => void) | undefined;

function watchedExecutor(): Executor {
  const inner = createNullExecutor();
  return {
    ...inner,
    start(run, sink) {
      onStart?.({ startedAt: String(process.hrtime.bigint()) });
      onStart = undefined;
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

serve<StartQuestion, StartAnswer>(
  () =>
    new Promise((resolve) => {
      onStart = resolve;
    }),
);

process.once('SIGTERM', async () => {
  await worker.close();
  process.exit();
});
