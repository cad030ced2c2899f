import { homedir } from 'node:os';
import type { EngineState } from '../../shared/ipc.ts';
import { createEngine, EngineUnreachable, tooOld } from './engine.ts';
import { type EngineTrouble, hasProgram, installedEngine, type Surroundings } from './sockets.ts';

/** An engine that is asked for its version and takes longer is as good as none (ms). */
const ANSWER_MS = 10_000;

/** How to start an engine, as a person would. */
export interface StartCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/** Where this program runs. */
export function ownSurroundings(): Surroundings {
  return { platform: process.platform, home: homedir(), environment: process.env };
}

/** @param configured a socket's path or an address; without one the usual places are searched */
export async function readEngineState(configured: string | undefined): Promise<EngineState> {
  const surroundings = ownSurroundings();
  const engine = createEngine(configured);
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new EngineUnreachable('The container engine does not answer.', 'silent')), ANSWER_MS);
  try {
    const facts = await Promise.race([engine.facts(), late.promise]);
    const old = tooOld(facts);
    return old === undefined
      ? { state: 'ready', message: facts.title, command: null, canStart: false }
      : { state: 'old', message: old, command: null, canStart: false };
  } catch (error) {
    const trouble = error instanceof EngineUnreachable ? error.trouble : 'silent';
    const message = error instanceof Error ? error.message : String(error);
    return { ...remedy(trouble, surroundings), message };
  } finally {
    clearTimeout(timer);
    engine.close();
  }
}

/** What helps against a trouble, on this system. */
export function remedy(trouble: EngineTrouble, surroundings: Surroundings): Omit<EngineState, 'message'> {
  if (trouble === 'denied') return { state: 'denied', command: GROUP_COMMAND, canStart: false };
  if (trouble === 'absent') return { state: 'absent', command: installCommand(surroundings), canStart: false };
  const start = startCommand(surroundings);
  const words = start === undefined ? null : [start.program, ...start.args].map(quoted).join(' ');
  return { state: 'stopped', command: words, canStart: start !== undefined };
}

const quoted = (word: string) => (/^[^ ]+$/.test(word) ? word : `"${word}"`);
const GROUP_COMMAND = 'sudo usermod -aG docker $USER';

/** Package manager and what it is told, on Linux. */
const INSTALL_COMMANDS = [
  ['apt-get', `sudo apt-get install docker.io && ${GROUP_COMMAND}`],
  ['dnf', 'sudo dnf install podman && systemctl --user enable --now podman.socket'],
  ['zypper', `sudo zypper install docker && sudo systemctl enable --now docker && ${GROUP_COMMAND}`],
  ['pacman', `sudo pacman -S docker && sudo systemctl enable --now docker && ${GROUP_COMMAND}`],
] as const;

function installCommand(surroundings: Surroundings): string | null {
  if (surroundings.platform === 'win32') return 'winget install --exact --id Docker.DockerDesktop';
  if (surroundings.platform === 'darwin') return 'brew install --cask docker-desktop';
  return INSTALL_COMMANDS.find(([manager]) => hasProgram(manager, surroundings))?.[1] ?? null;
}

/** How the engine that is installed is started; undefined where there is none, or nothing here can. */
export function startCommand(surroundings: Surroundings): StartCommand | undefined {
  const { platform } = surroundings;
  const engine = installedEngine(surroundings);
  if (engine === undefined) return undefined;
  if (platform === 'linux') {
    if (!hasProgram('systemctl', surroundings)) return undefined;
    // The first asks for a password by itself, in a window of the system's own.
    return { program: 'systemctl', args: engine === 'docker' ? ['start', 'docker'] : ['--user', 'start', 'podman.socket'] };
  }
  if (engine === 'podman') return { program: 'podman', args: ['machine', 'start'] };
  if (platform === 'darwin') return { program: 'open', args: ['--background', '-a', 'Docker'] };
  // It goes on by itself; the program that starts it does not wait.
  return { program: 'cmd', args: ['/c', 'start', '', String.raw`C:\Program Files\Docker\Docker\Docker Desktop.exe`] };
}
