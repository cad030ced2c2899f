import { app, dialog } from 'electron';
import type { Logger } from '../ports/system.ts';
import { quitQuestion } from './texts.ts';

/** A farm that does not close in this time is left to its recovery (ms). */
const CLOSE_MS = 10_000;

export interface Leaving {
  /** Ends the app, after it has asked when tasks run here. */
  quit(): Promise<void>;
  /** Ends it now: what runs goes back to the queue. */
  end(): Promise<void>;
  /** How many tasks run here, whenever that changes: the last one may be what the end waits for. */
  running(tasks: number): void;
}

interface LeavingOptions {
  readonly runningTasks: () => number;
  /** No new work from now on, or again. */
  readonly drain: (isDraining: boolean) => void;
  readonly close: () => Promise<void>;
  readonly logger: Logger;
}

const ANSWERS = ['Keep Running', 'Finish Them First', 'Quit Now'] as const;

/** How the app ends. */
export function createLeaving({ runningTasks, drain, close, logger }: LeavingOptions): Leaving {
  let ending: Promise<void> | undefined;
  let isDraining = false;
  let isAsking = false;

  const end = async () => {
    logger.info('the app ends');
    const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS));
    await Promise.race([close(), late]).catch((error: unknown) => logger.error('the farm did not close in order', { error }));
    app.exit(0);
  };
  const leaving: Leaving = {
    async quit() {
      if (ending !== undefined || isAsking) return;
      isAsking = true;
      try {
        const tasks = runningTasks();
        const answer = tasks === 0 ? 'Quit Now' : await ask(tasks);
        if (answer === 'Quit Now') {
          await leaving.end();
          return;
        }
        isDraining = answer === 'Finish Them First';
        drain(isDraining);
      } finally {
        isAsking = false;
      }
    },
    async end() {
      ending ??= end();
      await ending;
    },
    running(tasks) {
      if (isDraining && tasks === 0) void leaving.end();
    },
  };
  app.on('before-quit', (event) => {
    event.preventDefault();
    void leaving.quit();
  });
  // A log-out, a service manager or a terminal does not wait for answers. Electron's own handlers would quit half way.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void leaving.end());
  return leaving;
}

async function ask(tasks: number): Promise<(typeof ANSWERS)[number]> {
  const { response } = await dialog.showMessageBox({
    type: 'question',
    title: 'Quit Lanyard?',
    ...quitQuestion(tasks),
    buttons: [...ANSWERS],
    defaultId: 0,
    cancelId: 0,
  });
  return ANSWERS[response] ?? 'Keep Running';
}
