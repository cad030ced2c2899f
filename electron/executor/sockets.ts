import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';

/** Where a container engine may listen: a Unix socket or named pipe, or a TCP address. */
export type EngineAddress = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** What of the surrounding system decides where engines are looked for. */
export interface Surroundings {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** An address and why nobody could be reached there, as the operating system's error code. */
export interface FailedAddress {
  readonly address: EngineAddress;
  readonly code: string;
}

/**
 * Addresses in the order in which they are tried. A configured one is the only one; then `DOCKER_HOST`
 * alone; else the usual places of Docker, Docker Desktop, rootless Docker and Podman.
 */
export function engineAddresses(configured: string | undefined, surroundings: Surroundings): readonly EngineAddress[] {
  const chosen = configured ?? surroundings.environment.DOCKER_HOST;
  if (chosen !== undefined && chosen !== '') return [parseAddress(chosen)];
  return usualSockets(surroundings).map((socketPath) => ({ socketPath }));
}

/** `/path`, `unix:///path`, `npipe:////./pipe/name` or `tcp://host:port`. */
export function parseAddress(text: string): EngineAddress {
  const scheme = /^([a-z]+):\/\/(.*)$/.exec(text);
  if (scheme === null) return { socketPath: text };
  if (scheme[1] === 'unix' || scheme[1] === 'npipe') return { socketPath: scheme[2] as string };
  const url = new URL(text.replace(/^tcp:/, 'http:'));
  return { host: url.hostname, port: Number(url.port || '2375') };
}

/** @returns undefined when somebody accepts a connection, else the error's code (`ENOENT`, `EACCES`, `ECONNREFUSED`...). */
export function knock(address: EngineAddress, timeoutMs = 5_000): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = 'socketPath' in address ? connect(address.socketPath) : connect(address.port, address.host);
    const finish = (code: string | undefined) => {
      socket.destroy();
      resolve(code);
    };
    socket.setTimeout(timeoutMs, () => finish('ETIMEDOUT'));
    socket.once('connect', () => finish(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? 'EIO'));
  });
}

/** Why no engine was reached. `silent`: something is there, and does not answer; `stopped`: an engine is installed, and nothing is there. */
export type EngineTrouble = 'denied' | 'silent' | 'stopped' | 'absent';

export function troubleOf(failures: readonly FailedAddress[], surroundings: Surroundings): EngineTrouble {
  if (failures.some(isDenied)) return 'denied';
  if (failures.some(isSilent)) return 'silent';
  return installedEngine(surroundings) === undefined ? 'absent' : 'stopped';
}

/** One or two sentences: why no engine was reached, and what to do about it. */
export function advice(failures: readonly FailedAddress[], surroundings: Surroundings): string {
  const denied = failures.find(isDenied);
  if (denied !== undefined) {
    return `No permission to use the container engine at ${nameOf(denied.address)}. Add this user to the group that owns it (for Docker: sudo usermod -aG docker <user>), log in again and restart Lanyard.`;
  }
  const silent = failures.find(isSilent);
  const start = startHint(surroundings.platform);
  if (silent !== undefined) {
    return `The container engine at ${nameOf(silent.address)} does not answer (${silent.code}). ${start}`;
  }
  if (installedEngine(surroundings) !== undefined) return `The container engine is installed but not running. ${start}`;
  const only = failures.length === 1 ? failures[0] : undefined;
  const place = only === undefined ? 'in the usual places' : `at ${nameOf(only.address)}`;
  return `No container engine was found ${place}. Install Docker or Podman and start it, or name its socket in the setting dockerSocket.`;
}

const isDenied = ({ code }: FailedAddress) => code === 'EACCES' || code === 'EPERM';
const isSilent = (failure: FailedAddress) => failure.code !== 'ENOENT' && !isDenied(failure);

export function nameOf(address: EngineAddress): string {
  return 'socketPath' in address ? address.socketPath : `${address.host}:${address.port}`;
}

function usualSockets({ platform, home, environment }: Surroundings): readonly string[] {
  if (platform === 'win32') return ['//./pipe/docker_engine', '//./pipe/podman-machine-default'];
  const desktop = [join(home, '.docker/run/docker.sock'), join(home, '.docker/desktop/docker.sock')];
  const shared = ['/var/run/docker.sock', ...desktop];
  if (platform === 'darwin') return [...shared, join(home, '.local/share/containers/podman/machine/podman.sock')];
  const runtime = environment.XDG_RUNTIME_DIR;
  const own = runtime === undefined ? [] : [join(runtime, 'docker.sock'), join(runtime, 'podman/podman.sock')];
  return [...shared, ...own, '/run/podman/podman.sock'];
}

function startHint(platform: NodeJS.Platform): string {
  if (platform === 'linux') return 'Start it, for example with: sudo systemctl start docker (or: systemctl --user start podman.socket).';
  return 'Start Docker Desktop (or: podman machine start).';
}

/** The engine that is installed here; Docker before Podman. */
export function installedEngine(surroundings: Surroundings): 'docker' | 'podman' | undefined {
  const { platform } = surroundings;
  if (DESKTOP_APPS[platform]?.some(isExecutable)) return 'docker';
  const extension = platform === 'win32' ? '.exe' : '';
  if (['dockerd', 'docker'].some((name) => hasProgram(name + extension, surroundings))) return 'docker';
  return hasProgram(`podman${extension}`, surroundings) ? 'podman' : undefined;
}

/** Where Docker Desktop puts itself: a program with a window is started with a PATH that knows nothing of it. */
const DESKTOP_APPS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ['/Applications/Docker.app'],
  win32: ['C:/Program Files/Docker/Docker/Docker Desktop.exe'],
};
const MORE_FOLDERS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = { darwin: ['/usr/local/bin', '/opt/homebrew/bin'] };

/** Whether a program of this name can be started. */
export function hasProgram(name: string, { environment, platform }: Surroundings): boolean {
  const folders = [...(environment.PATH ?? '').split(delimiter), ...(MORE_FOLDERS[platform] ?? [])];
  return folders.some((folder) => folder !== '' && isExecutable(join(folder, name)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
