import type { NodeId } from '../../shared/ids.ts';
import type { CoordinatorMessage } from '../../shared/protocol.ts';
import type { CoordinatorSettings } from '../../shared/settings.ts';
import type { LimitView, OwnerView, Totals, ViewEvent } from '../../shared/view.ts';
import type { CoordinatorEffect } from '../core/effects.ts';
import * as queries from '../core/queries.ts';
import type { Blobs, LogStore } from '../ports/files.ts';
import type { LinkServerHandlers } from '../ports/link.ts';
import type { MachinePower } from '../ports/machine.ts';
import type { Store } from '../ports/store.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';
import { startBlobSweeps } from './blob-sweeps.ts';
import { CacheRequests } from './cache-requests.ts';
import { type Catalog, openCatalog } from './catalog.ts';
import type { Farm, PollWorkers } from './farm.ts';
import { FarmLife } from './farm-life.ts';
import { FarmNodes } from './farm-nodes.ts';
import { JobChanges } from './job-changes.ts';
import { JobReader } from './job-reader.ts';
import { mayWriteLog } from './leases.ts';
import { createPollWorkers } from './poll.ts';
import { Provisioner } from './provisioner.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { Submissions } from './submissions.ts';
import { createWatchers, type Watchers } from './watchers.ts';

export interface CoordinatorOptions {
  readonly farm: { readonly id: string; readonly name: string };
  readonly store: Store;
  readonly blobs: Blobs;
  readonly logs: LogStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: CoordinatorSettings;
  readonly power: MachinePower;
  /** Refuses a zip that no worker would unpack. @throws LanyardError INVALID naming the entry and the rule */
  readonly checkInput: (path: string) => Promise<unknown>;
  /** Writes a backup and says where it is. */
  readonly backup: () => Promise<string>;
}

export interface CoordinatorDaemon extends Farm {
  readonly linkHandlers: LinkServerHandlers;
  /** Whether the device has a worker that is connected now. */
  isConnected(node: NodeId): boolean;
  send(node: NodeId, message: CoordinatorMessage): void;
  broadcast(message: CoordinatorMessage): void;
  /** Commits what is pending and changes nothing any more, until `thaw`. Rejects when it could not be committed. */
  freeze(): Promise<void>;
  /** Goes on from what is stored. */
  thaw(): void;
  close(): void;
}

/** Ended jobs in a viewer's first snapshot. */
const SNAPSHOT_JOBS = 1_000;

/** Loads what was stored, and goes on from there: there is no other way to start. */
export function startCoordinatorDaemon(options: CoordinatorOptions): CoordinatorDaemon {
  return new Coordinator(options);
}

/** Brings the parts of the daemon together; each says itself what it does. */
class Coordinator implements CoordinatorDaemon {
  readonly id: string;
  readonly name: string;
  readonly poll: PollWorkers;
  readonly linkHandlers: LinkServerHandlers;
  private readonly options: CoordinatorOptions;
  private readonly sessions: Sessions;
  private readonly watchers: Watchers;
  private readonly life: FarmLife;
  private readonly provisioner: Provisioner;
  private readonly endSweeps: Dispose;
  private readonly reader: JobReader;
  private readonly catalog: Catalog;
  private readonly submissions: Submissions;
  private readonly changes: JobChanges;
  private readonly nodes: FarmNodes;

  constructor(options: CoordinatorOptions) {
    const { store, blobs, logs, clock, logger, settings, checkInput } = options;
    this.options = options;
    this.id = options.farm.id;
    this.name = options.farm.name;
    const catalog = openCatalog(store);
    this.catalog = catalog;
    this.sessions = createSessions({
      farmName: this.name,
      heartbeatMs: settings.heartbeatMs,
      blobs,
      logs,
      catalog,
      logger,
      post: (event) => void this.life.post(event),
      settled: () => this.life.settled(),
      mayWriteLog: (node, attempt) => mayWriteLog(this.life.farm, node, attempt),
      cacheTold: (node, request, cache) => cacheRequests.answered(node, request, cache),
    });
    const cacheRequests = new CacheRequests({
      clock,
      isConnected: (node) => this.sessions.isConnected(node),
      send: (node, message) => this.sessions.send(node, message),
    });
    this.linkHandlers = this.sessions.handlers;
    this.watchers = createWatchers({
      clock,
      snapshot: () => ({
        farm: { id: this.id, name: this.name },
        jobs: this.listJobs({ order: 'newest', limit: SNAPSHOT_JOBS, offset: 0 }).jobs,
        nodes: this.listNodes(),
        totals: this.totals(),
      }),
      job: (job) => this.reader.findView(job),
      node: (node) => this.nodes.find(node),
      totals: () => this.totals(),
    });
    this.life = new FarmLife({
      ...{ store, clock, logger, settings },
      perform: (effects) => this.perform(effects),
      opened: () => {
        this.sessions.open();
        this.watchers.reset();
      },
      failed: () => this.sessions.close('the coordinator is recovering'),
    });
    const { life } = this;
    this.provisioner = new Provisioner({
      ...{ clock, logger, settings },
      power: options.power,
      farm: () => life.farm,
      sleep: (node) => this.sessions.send(node, { type: 'sleep' }),
    });
    this.reader = new JobReader({ life, store, catalog, comingMachines: (job) => this.provisioner.comingFor(job) });
    const { reader } = this;
    this.submissions = new Submissions({ life, store, catalog, reader, blobs, clock, checkInput, defaultImage: settings.defaultImage });
    this.changes = new JobChanges({ life, store, catalog, reader, logs, removed: (job) => this.watchers.jobChanged(job) });
    this.nodes = new FarmNodes({ life, store, cacheRequests, provisioning: (node) => this.provisioner.reasonOf(node) });
    this.poll = createPollWorkers({
      post: (event) => life.post(event),
      settled: () => life.settled(),
      farm: () => life.farm,
      detail: (job) => this.job(job),
      task: (job, index) => this.task(job, index).task,
      node: (node) => this.node(node),
      ...{ catalog, logs, blobs },
    });
    this.endSweeps = startBlobSweeps({ clock, logger, blobs, referenced: () => store.referencedBlobs() });
  }

  isConnected(node: NodeId): boolean {
    return this.sessions.isConnected(node);
  }

  send(node: NodeId, message: CoordinatorMessage): void {
    this.sessions.send(node, message);
  }

  broadcast(message: CoordinatorMessage): void {
    this.sessions.broadcast(message);
  }

  async freeze(): Promise<void> {
    await this.life.settled();
    this.sessions.freeze();
    this.life.stop();
  }

  thaw(): void {
    this.life.beginAgain();
  }

  close(): void {
    this.provisioner.close();
    this.endSweeps();
    this.life.stop();
    this.sessions.close('the coordinator is stopping');
    // Last: what the others say as they end is for nobody.
    this.watchers.close();
  }

  private perform(effects: readonly CoordinatorEffect[]): void {
    // Before what is sent now: it is read anew, as it was decided.
    for (const effect of effects) if (effect.type === 'save-canary') this.catalog.set(effect.job, undefined);
    this.catalog.readTogether(() => this.sessions.perform(effects));
    for (const effect of effects) {
      if (effect.type === 'save-job' && effect.row.finishedAt !== null) this.catalog.set(effect.row.id, undefined);
      else if (effect.type === 'job-changed') this.watchers.jobChanged(effect.job);
      else if (effect.type === 'node-changed') this.watchers.nodeChanged(effect.node);
    }
  }

  // ------------------------------------------------------------------------------------------------ what the API offers

  readonly submit: Farm['submit'] = (spec, by) => this.submissions.submit(spec, by);
  readonly submitAll: Farm['submitAll'] = (specs, by) => this.submissions.submitAll(specs, by);
  readonly submitStages: Farm['submitStages'] = (submission, by) => this.submissions.submitStages(submission, by);
  readonly submitAwaitingInput: Farm['submitAwaitingInput'] = (spec, by) => this.submissions.submitAwaitingInput(spec, by);

  readonly listJobs: Farm['listJobs'] = (query) => this.reader.listJobs(query);
  readonly job: Farm['job'] = (job) => this.reader.job(job);
  readonly tasks: Farm['tasks'] = (job, query) => this.reader.tasks(job, query);
  readonly task: Farm['task'] = (job, index) => this.reader.task(job, index);
  readonly outputs: Farm['outputs'] = (job, index) => this.reader.outputs(job, index);
  readonly explain: Farm['explain'] = (job, index) => this.reader.explain(job, index);

  readonly cancel: Farm['cancel'] = (job, index, by) => this.changes.cancel(job, index, by);
  readonly retry: Farm['retry'] = (job) => this.changes.retry(job);
  readonly update: Farm['update'] = (job, change) => this.changes.update(job, change);
  readonly approveCanary: Farm['approveCanary'] = (job, needs, by) => this.changes.approveCanary(job, needs, by);
  readonly removeJob: Farm['removeJob'] = (job) => this.changes.remove(job);

  readonly listNodes: Farm['listNodes'] = () => this.nodes.list();
  readonly node: Farm['node'] = (node) => this.nodes.mustFind(node);
  readonly explainNode: Farm['explainNode'] = (node) => this.nodes.explain(node);
  readonly nodeAttempts: Farm['nodeAttempts'] = (node, query) => this.nodes.attempts(node, query);
  readonly nodeCache: Farm['nodeCache'] = (node, clear) => this.nodes.cache(node, clear);
  readonly updateNode: Farm['updateNode'] = (node, availability) => this.nodes.update(node, availability);
  readonly removeNode: Farm['removeNode'] = (node) => this.nodes.remove(node);

  totals(): Totals {
    return queries.totals(this.life.farm);
  }

  listLimits(): LimitView[] {
    return queries.limitViews(this.life.farm);
  }

  listOwners(): OwnerView[] {
    return queries.ownerViews(this.life.farm);
  }

  watch(listener: (event: ViewEvent) => void): Dispose {
    return this.watchers.watch(listener);
  }

  backup(): Promise<string> {
    return this.options.backup();
  }
}
