import type { Executor, Run, RunEnd } from '../../electron/ports/executor.ts';

/** Runs nothing: every command is complete at once, or with `endless` once it is stopped. For measurements of everything else. */
export function createNullExecutor({ endless = false } = {}): Executor {
  const end: RunEnd = { reason: 'completed', exitCode: 0, message: null, ranForMs: 0, cpuMs: null, peakRamMb: null };
  const nothing = async () => {};
  const start = async (): Promise<Run> => {
    const { promise: ended, resolve } = Promise.withResolvers<RunEnd>();
    if (!endless) resolve(end);
    return { ended, stop: async () => resolve(end), pause: nothing, resume: nothing, limitCpu: nothing, cpuMs: async () => undefined };
  };
  return {
    kind: 'null',
    status: async () => ({ available: true, message: 'Commands are not run.' }),
    prepare: async () => undefined,
    start,
    removeStrays: nothing,
    close: nothing,
  };
}
