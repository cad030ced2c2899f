import { execFile } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { LanyardError } from '../../shared/errors.ts';
import type { EngineState } from '../../shared/ipc.ts';
import type { WorkerSettings } from '../../shared/settings.ts';
import { ownSurroundings, readEngineState, startCommand } from '../executor/engine-state.ts';

/** The container engine of this machine, as its owner sees it. */
export interface OwnEngine {
  look(): Promise<EngineState>;
  /** Starts it as its owner would, and waits. @returns how it is then. @throws LanyardError when it cannot be started from here */
  start(): Promise<EngineState>;
}

/** An engine in a virtual machine takes a minute to start. */
const START_MS = 120_000;
const LOOK_EVERY_MS = 1_000;

/** @param works whether this machine takes tasks */
export function createOwnEngine(
  { docker, dockerSocket }: Pick<WorkerSettings, 'docker' | 'dockerSocket'>,
  works: () => boolean,
): OwnEngine {
  const look = async (): Promise<EngineState> => {
    if (!docker) return off('Containers are switched off in the settings.');
    if (!works()) return off('This machine takes no tasks.');
    return await readEngineState(dockerSocket);
  };
  return {
    look,
    async start() {
      const command = startCommand(ownSurroundings());
      if (command === undefined)
        throw new LanyardError({ code: 'CONFLICT', message: 'No engine that could be started is installed here.' });
      await run(command.program, command.args);
      const deadline = Date.now() + START_MS;
      let state = await look();
      while (state.state === 'stopped' && Date.now() < deadline) {
        await pause(LOOK_EVERY_MS);
        state = await look();
      }
      return state;
    },
  };
}

const off = (message: string): EngineState => ({ state: 'off', message, command: null, canStart: false });

/** @throws LanyardError UNAVAILABLE with what the program wrote */
function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: START_MS }, (error, _, said) => {
      if (error === null) resolve();
      else
        reject(
          new LanyardError({ code: 'UNAVAILABLE', message: `The engine did not start: ${said.trim().slice(0, 500) || error.message}` }),
        );
    });
  });
}
