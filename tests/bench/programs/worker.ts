import { startWorker } from '../../../electron/compose.ts';
import type { Executor } from '../../../electron/ports.ts';
import { type WorkerSettings, workerSettingsSchema } from '../../../shared/settings.ts';
import { createNullExecutor } from '../../fakes/null-executor.ts';
import { silentLogger } from '../../fakes/silent-logger.ts';
import { programOptions, serve } from '../programs.ts';

/** A worker; without `real` it runs nothing. */

export interface WorkerOptions {
  readonly dataFolder: string;
  readonly coordinatorUrl: string;
  readonly token: string;
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

const { real, settings, ...rest } = programOptions<WorkerOptions>();

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

const worker = await startWorker({
  ...rest,
  settings: workerSettingsSchema.parse(settings),
  logger: silentLogger,
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
