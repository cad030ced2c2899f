import { statSync } from 'node:fs';
import { lchown, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { ContainerCreateOptions } from 'dockerode';
import type { Phase } from '../../shared/protocol.ts';
import type { Executor, ExecutorStatus, LogSink, Run, RunRefused, RunSpec } from '../ports/executor.ts';
import type { Logger } from '../ports/system.ts';
import { createContainerCgroups } from './container-cgroup.ts';
import {
  type ContainerOwner,
  containerCpus,
  containerUser,
  holderContainer,
  imageAllowed,
  memoryMb,
  type OwnerLimits,
  ownerLabels,
  taskContainer,
} from './container-config.ts';
import { watchContainer } from './container-run.ts';
import { attachOutput, createEngine, type Engine, type EngineFacts, EngineUnreachable, reasonOf, statusOf, tooOld } from './engine.ts';
import { createHolders, type Holder, type Holders } from './holders.ts';
import { pullImage } from './image-pull.ts';
import { demultiplex, pumpOutput } from './output.ts';
import { createRemovals, type Removals } from './removals.ts';
import { areLimitsRefused, ownUlimits, type Ulimit } from './ulimits.ts';

export interface DockerExecutorOptions extends ContainerOwner {
  /** A socket's path, or `unix://`, `npipe://` or `tcp://` and an address; default: the usual places are searched. */
  readonly socket?: string | undefined;
  readonly limits: OwnerLimits;
  /** Keep a holder container warm for each slot (see `holders.ts`). */
  readonly fastStart: boolean;
  /** Attempts at once. */
  readonly slots: number;
  readonly logger: Logger;
}

/** Images known to be here; beyond this many all are looked for again. */
const KNOWN_IMAGES_AT_MOST = 1_000;

/** What Docker and Podman say when no runtime of theirs knows the devices that are asked for. */
const GPUS_REFUSED = /could not select device driver|unresolvable CDI devices|nvidia-container-cli/;

/** Distributions pack it apart from Podman. */
const INIT_MISSING = /container-init binary not found/;

const IMAGE_GONE = Symbol('the image is not there any more');

type User = { readonly uid: number; readonly gid: number };

/** Runs commands in containers of a Docker or Podman engine. */
export function createDockerExecutor(options: DockerExecutorOptions): Executor {
  return new DockerExecutor(options);
}

class DockerExecutor implements Executor {
  readonly kind = 'docker';
  private readonly options: DockerExecutorOptions;
  private readonly engine: Engine;
  private readonly removals: Removals;
  private readonly holders: Holders;
  private readonly knownImages = new Set<string>();
  /** Instead of the limits that the engine gives by itself, once it was seen that it may not. */
  private ulimits: readonly Ulimit[] | undefined;
  private readonly cgroups = createContainerCgroups();
  /** Containers of an earlier life may still be there; nothing of this life runs yet. */
  private straysLeft = false;

  constructor(options: DockerExecutorOptions) {
    this.options = options;
    this.engine = createEngine(options.socket);
    this.removals = createRemovals(async (container) => removeContainer(await this.engine.client(), container), options.logger);
    const holderEngine = { start: (image: string) => this.startHolder(image), remove: this.removals.add };
    this.holders = createHolders(options.fastStart ? options.slots : 0, holderEngine, options.logger);
  }

  async status(): Promise<ExecutorStatus> {
    try {
      const client = await this.engine.client();
      await client.ping();
      const facts = await this.engine.facts();
      const problem = tooOld(facts);
      if (this.straysLeft) await this.removeStrays();
      return { available: problem === undefined, message: problem ?? facts.title };
    } catch (error) {
      return { available: false, message: this.refusal(error).message };
    }
  }

  async prepare(image: string | null, progress: (phase: Phase) => void, signal: AbortSignal): Promise<RunRefused | undefined> {
    if (image === null) return { reason: 'executor-unavailable', message: 'The job names no container image.' };
    if (!imageAllowed(image, this.options.limits)) {
      return { reason: 'image-unavailable', message: `The owner of this node does not allow the image ${image}.` };
    }
    if (this.knownImages.has(image)) return undefined;
    let missing: string | undefined;
    try {
      const client = await this.engine.client();
      if (!(await hasImage(client, image))) missing = await pullImage(client, image, progress, signal);
    } catch (error) {
      if (statusOf(error) === undefined) return this.refusal(error);
      missing = reasonOf(error);
    }
    if (missing !== undefined) {
      return { reason: 'image-unavailable', message: `The image ${image} is not on this node and cannot be pulled: ${missing}` };
    }
    if (this.knownImages.size >= KNOWN_IMAGES_AT_MOST) this.knownImages.clear();
    this.knownImages.add(image);
    return undefined;
  }

  async images(): ReturnType<NonNullable<Executor['images']>> {
    const client = await this.engine.client();
    // An image without a name is a layer of another, or was replaced.
    return (await client.listImages()).flatMap(({ RepoTags, Size }) =>
      (RepoTags ?? []).filter((name) => name !== '<none>:<none>').map((name) => ({ name, bytes: Size })),
    );
  }

  async start(run: RunSpec, sink: LogSink): Promise<Run | RunRefused> {
    if (run.network && !this.options.limits.allowNetwork) {
      return { reason: 'executor-unavailable', message: 'The job asks for a network, which the owner of this node does not allow.' };
    }
    this.straysLeft = false;
    await this.removals.room();
    const first = await this.startPrepared(run, sink);
    if (first !== IMAGE_GONE) return first;
    const second = await this.startPrepared(run, sink);
    if (second !== IMAGE_GONE) return second;
    return { reason: 'image-unavailable', message: `The image ${run.image} went away again and again.` };
  }

  /** Without an engine it is put off until `status` finds one: a machine often starts its engine later than its worker. */
  async removeStrays(): Promise<void> {
    this.straysLeft = false;
    try {
      const client = await this.engine.client();
      const label = Object.entries(ownerLabels(this.options)).map(([name, value]) => `${name}=${value}`);
      const strays = await client.listContainers({ all: true, filters: { label } });
      if (strays.length > 0) this.options.logger.info('Containers of an earlier life are removed', { count: strays.length });
      for (const stray of strays) await removeContainer(client, stray.Id);
    } catch (error) {
      this.straysLeft = true;
      if (!(error instanceof EngineUnreachable)) throw error;
    }
  }

  async close(): Promise<void> {
    await this.holders.close();
    await this.removals.close();
    this.engine.close();
  }

  private async startPrepared(run: RunSpec, sink: LogSink): Promise<Run | RunRefused | typeof IMAGE_GONE> {
    const { image } = run;
    const refused = await this.prepare(image, () => {}, new AbortController().signal);
    if (refused !== undefined || image === null) return refused as RunRefused;
    try {
      const user = userFor(await this.engine.facts());
      const problem = await giveFolder(run.folder, user).catch((error: Error) => error);
      if (problem !== undefined) return { reason: 'infrastructure', message: `The folder of the task cannot be used: ${problem.message}` };
      return await this.launchAnyhow(run, image, sink);
    } catch (error) {
      if (!isImageMissing(error)) return this.refusal(error);
      this.knownImages.delete(image);
      return IMAGE_GONE;
    }
  }

  private async launchAnyhow(run: RunSpec, image: string, sink: LogSink): Promise<Run> {
    try {
      return await this.launchBeside(run, image, sink);
    } catch (error) {
      if (this.ulimits !== undefined || !areLimitsRefused(reasonOf(error))) throw error;
      this.ulimits = await ownUlimits();
      this.options.logger.info('The engine may not give containers its usual limits; they get those of this program', {
        ulimits: this.ulimits,
      });
      return await this.launchBeside(run, image, sink);
    }
  }

  /** In the network namespace of a holder where one is free. */
  private async launchBeside(run: RunSpec, image: string, sink: LogSink): Promise<Run> {
    const holder = run.network ? undefined : this.holders.take(image);
    if (holder === undefined) return await this.launch(run, image, sink, undefined);
    try {
      return await this.launch(run, image, sink, holder);
    } catch (error) {
      if (isProgramMissing(error) || isImageMissing(error)) {
        this.holders.release(holder);
        throw error;
      }
      this.options.logger.debug('A holder container is given up', { container: holder.container, error: reasonOf(error) });
      this.holders.discard(holder);
      return await this.launch(run, image, sink, undefined);
    }
  }

  /** Creates and starts the container, in a holder's network namespace if one is given; on failure nothing of it is left. */
  private async launch(run: RunSpec, image: string, sink: LogSink, holder: Holder | undefined): Promise<Run> {
    const { engine, removals, holders, options } = this;
    const client = await engine.client();
    const facts = await engine.facts();
    const network = run.network ? 'bridge' : holder === undefined ? 'none' : `container:${holder.container}`;
    const { ulimits } = this;
    const config = taskContainer({ run, image, limits: options.limits, facts, user: userFor(facts), network, owner: options, ulimits });
    const created = await createContainer(client, config);
    let stream: Readable | undefined;
    try {
      // Attached before it starts: the engine keeps no log of its own.
      stream = await attachOutput(client, created.id);
      const attached = stream;
      const output = pumpOutput(attached, demultiplex(sink));
      await created.start();
      const release = () => {
        removals.add(created.id);
        if (holder !== undefined) holders.release(holder);
      };
      return watchContainer({
        engine,
        client,
        facts,
        id: created.id,
        output,
        onSilence: (callback) => void attached.once('end', callback),
        cgroups: this.cgroups,
        memoryMb: memoryMb(run, options.limits),
        cpus: containerCpus(run, options.limits, facts),
        release,
      });
    } catch (error) {
      stream?.destroy();
      removals.add(created.id);
      throw error;
    }
  }

  private async startHolder(image: string): Promise<string | undefined> {
    const client = await this.engine.client();
    const user = userFor(await this.engine.facts());
    const created = await createContainer(client, holderContainer(image, user, this.options, this.ulimits));
    try {
      await created.start();
      return created.id;
    } catch (error) {
      this.removals.add(created.id);
      if (isProgramMissing(error)) return undefined;
      throw error;
    }
  }

  /** Turns what went wrong into the refusal that it means. */
  private refusal(error: unknown): RunRefused {
    const said = reasonOf(error);
    if (GPUS_REFUSED.test(said))
      return {
        reason: 'executor-unavailable',
        message: `The container engine cannot give GPUs to containers; NVIDIA's container toolkit lets it: ${said}`,
      };
    if (INIT_MISSING.test(said))
      return {
        reason: 'infrastructure',
        message: `Podman has no program to be the first process of containers; install catatonit: ${said}`,
      };
    if (isProgramMissing(error)) return { reason: 'exit', message: `The command was not found in the image (exit code 127): ${said}` };
    if (statusOf(error) !== undefined) return { reason: 'infrastructure', message: `The container engine refused: ${said}` };
    this.engine.forget();
    if (error instanceof EngineUnreachable) return { reason: 'infrastructure', message: said };
    return { reason: 'infrastructure', message: `The container engine does not answer: ${said}` };
  }
}

async function hasImage(client: Docker, image: string): Promise<boolean> {
  try {
    await client.getImage(image).inspect();
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}

/** The client library would put all of it into the address too, unless it is told which part belongs there. */
function createContainer(client: Docker, config: ContainerCreateOptions): Promise<Docker.Container> {
  return client.createContainer({ _query: {}, _body: config } as ContainerCreateOptions);
}

/** Kills it if it runs. */
async function removeContainer(client: Docker, container: string): Promise<void> {
  try {
    await client.getContainer(container).remove({ force: true, v: true });
  } catch (error) {
    // Gone already, or on its way out by somebody else's request.
    if (statusOf(error) !== 404 && statusOf(error) !== 409) throw error;
  }
}

function userFor(facts: EngineFacts): User {
  return containerUser(facts, process.getuid?.(), process.getgid?.());
}

function isImageMissing(error: unknown): boolean {
  return statusOf(error) === 404 && /no such image|image not known/i.test(reasonOf(error));
}

function isProgramMissing(error: unknown): boolean {
  return (
    statusOf(error) !== undefined && /executable file not found|exec: .*(no such file or directory|permission denied)/.test(reasonOf(error))
  );
}

/**
 * A worker that runs as root gives the attempt's folder to the user in the container. A folder that is already that
 * user's is taken as it is.
 */
async function giveFolder(folder: string, user: User): Promise<undefined> {
  // A look at what was made a moment ago takes less than the way to another thread and back.
  if (process.getuid?.() !== 0 || statSync(folder).uid === user.uid) return undefined;
  for await (const entry of await opendir(folder, { recursive: true })) {
    await lchown(join(entry.parentPath, entry.name), user.uid, user.gid);
  }
  await lchown(folder, user.uid, user.gid);
  return undefined;
}
