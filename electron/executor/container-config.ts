import type { ContainerCreateOptions } from 'dockerode';
import picomatch from 'picomatch';
import type { RunSpec } from '../ports/executor.ts';
import type { EngineFacts } from './engine.ts';
import type { Ulimit } from './ulimits.ts';

/** What the owner of the machine allows containers to have. */
export interface OwnerLimits {
  readonly allowNetwork: boolean;
  /** Globs; absent allows every image. */
  readonly allowedImages?: readonly string[] | undefined;
  /** Most memory of one container, MiB. */
  readonly dockerMemoryMb?: number | undefined;
  /** Most CPU cores of one container. */
  readonly dockerCpus?: number | undefined;
}

/** Labels that name whose a container is, so that strays are found. */
export interface ContainerOwner {
  readonly farm: string;
  readonly node: string;
}

const MIB = 1024 * 1024;
const PIDS = 1_024;
/** The engine refuses less. */
const LEAST_MEMORY_MB = 6;
const LEAST_CPUS = 0.01;
const HOLDER_MEMORY_MB = 16;
/** A holder ends and removes itself after a day: a node that never comes back leaves none behind, one that lives makes another. */
const HOLDER_SECONDS = '86400';
/** Debian's and Alpine's nobody. */
const NOBODY = 65_534;

/** Where the attempt's folder is seen inside the container. */
const FOLDER = '/work';

export function ownerLabels(owner: ContainerOwner): Record<string, string> {
  return { 'lanyard.farm': owner.farm, 'lanyard.node': owner.node };
}

/** Memory that the container gets, MiB. */
export function memoryMb(run: Pick<RunSpec, 'ramMb'>, limits: OwnerLimits): number {
  return Math.max(LEAST_MEMORY_MB, Math.min(run.ramMb, limits.dockerMemoryMb ?? run.ramMb));
}

/** CPU cores that the container gets. */
export function containerCpus(run: Pick<RunSpec, 'cpu'>, limits: OwnerLimits, facts: EngineFacts): number {
  return Math.max(LEAST_CPUS, Math.min(run.cpu, limits.dockerCpus ?? run.cpu, facts.cpus));
}

/** What the engine counts CPU in. @param cpus cores; it takes no less than a hundredth of one */
export function nanoCpus(cpus: number): number {
  return Math.round(Math.max(LEAST_CPUS, cpus) * 1e9);
}

/** Globs are tried on the name as it is written and, without a tag or digest, on the name with `:latest`. */
export function imageAllowed(image: string, limits: OwnerLimits): boolean {
  if (limits.allowedImages === undefined) return true;
  const tagged = /[:@][^/]*$/.test(image) ? image : `${image}:latest`;
  return picomatch.isMatch(image, [...limits.allowedImages]) || picomatch.isMatch(tagged, [...limits.allowedImages]);
}

/**
 * The user inside containers: never one with rights over the machine. A rootless engine maps root inside to the
 * ordinary user it runs as, who alone can write to the attempt's folder there.
 */
export function containerUser(facts: EngineFacts, uid: number | undefined, gid: number | undefined): { uid: number; gid: number } {
  if (facts.rootless) return { uid: 0, gid: 0 };
  if (uid === undefined || uid === 0) return { uid: NOBODY, gid: NOBODY };
  return { uid, gid: gid ?? uid };
}

/** How a task's container is created. `network` is an engine's network mode. */
export function taskContainer(options: {
  readonly run: RunSpec;
  readonly image: string;
  readonly limits: OwnerLimits;
  readonly facts: EngineFacts;
  readonly user: { readonly uid: number; readonly gid: number };
  readonly network: string;
  readonly owner: ContainerOwner;
  /** Instead of the engine's own. */
  readonly ulimits?: readonly Ulimit[] | undefined;
}): ContainerCreateOptions {
  const { run, limits } = options;
  const memory = memoryMb(run, limits);
  const command = typeof run.command === 'string' ? ['/bin/sh', '-c', run.command] : [...run.command];
  const cpus = containerCpus(run, limits, options.facts);
  const confined = confinement(options.user, memory, options.network, options.ulimits);
  return {
    ...confined,
    Image: options.image,
    // Everything as entry point: it overrides the image's own, which a command beside it would not.
    Entrypoint: command,
    Cmd: [],
    WorkingDir: run.workdir === '.' || run.workdir === '' ? FOLDER : `${FOLDER}/${run.workdir}`,
    Env: Object.entries({ HOME: '/tmp', ...run.env }).map(([name, value]) => `${name}=${value}`),
    Labels: { ...ownerLabels(options.owner), 'lanyard.attempt': run.attempt },
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      ...confined.HostConfig,
      Mounts: [{ Type: 'bind', Source: run.folder, Target: FOLDER }],
      Tmpfs: { '/tmp': `rw,nosuid,nodev,exec,mode=1777,size=${Math.max(1, Math.floor(memory / 2))}m` },
      PidsLimit: PIDS,
      NanoCpus: nanoCpus(cpus),
      Init: true,
      ...(run.gpus.length === 0 ? {} : { DeviceRequests: [{ DeviceIDs: [...run.gpus], Capabilities: [['gpu']] }] }),
    } as ContainerCreateOptions['HostConfig'],
  };
}

/** A container that does nothing but hold a network namespace without any network. */
export function holderContainer(
  image: string,
  user: { readonly uid: number; readonly gid: number },
  owner: ContainerOwner,
  ulimits?: readonly Ulimit[],
): ContainerCreateOptions {
  const confined = confinement(user, HOLDER_MEMORY_MB, 'none', ulimits);
  return {
    ...confined,
    Image: image,
    Entrypoint: ['/bin/sleep', HOLDER_SECONDS],
    // As the first process of its container it ignores SIGTERM, and would hold up an engine that shuts down.
    StopSignal: 'SIGKILL',
    Cmd: [],
    Labels: { ...ownerLabels(owner), 'lanyard.holder': 'true' },
    Healthcheck: { Test: ['NONE'] },
    HostConfig: { ...confined.HostConfig, PidsLimit: 16, AutoRemove: true },
  };
}

function confinement(
  user: { readonly uid: number; readonly gid: number },
  memory: number,
  network: string,
  ulimits: readonly Ulimit[] | undefined,
) {
  return {
    User: `${user.uid}:${user.gid}`,
    AttachStdin: false,
    Tty: false,
    HostConfig: {
      NetworkMode: network,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Memory: memory * MIB,
      MemorySwap: memory * MIB,
      // Output is read from the engine as it comes and kept by the worker.
      LogConfig: { Type: 'none', Config: {} },
      ...(ulimits === undefined ? {} : { Ulimits: [...ulimits] }),
    },
  };
}
