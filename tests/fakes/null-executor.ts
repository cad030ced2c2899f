import type { Executor, Run, RunEnd } from '../../electron/ports.ts';

/** Runs nothing: every command is complete at once. For measurements of everything else. */
export function createNullExecutor(): Executor {
  const end: RunEnd = { reason: 'completed', exitCode: 0, message: null, ranForMs: 0 };
  const nothing = async () => {};
  const run: Run = {
    ended: Promise.resolve(end),
    stop: nothing,
    pause: nothing,
    resume: nothing,
    limitCpu: nothing,
    cpuMs: async () => undefined,
  };
  return {
    kind: 'null',
    status: async () => ({ available: true, message: 'Commands are not run.' }),
    prepare: async () => undefined,
    start: async () => run,
    removeStrays: nothing,
    close: nothing,
  };
}
