import { type CanaryDecision, type CanaryRun, canaryTasks } from '../../shared/canary.ts';
import type { AttemptId, BlobId, JobId, NodeId } from '../../shared/ids.ts';
import { type AttemptRow, type EndReason, isTerminal, type JobRow, type OwnerRow, type TaskRow } from '../../shared/job.ts';
import type { Metrics, NodeDescription, NodeRow } from '../../shared/node.ts';
import type { AttemptEnd, HeldAttempt } from '../../shared/protocol.ts';
import type { FarmConfig } from './config.ts';
import type { CoordinatorEffect } from './effects.ts';
import type { CoordinatorEvent, JobPolicy, NewJob, Now, StoredJob } from './events.ts';
import { violations } from './invariants.ts';
import type { FarmState } from './state.ts';
import { createFarm, hasToPlace, step } from './step.ts';

/** A farm for tests, with short words for what happens to it. After every event all invariants are checked. */

export const CONFIG: FarmConfig = {
  offlineAfterMs: 30_000,
  connectionGraceMs: 5_000,
  assignTimeoutMs: 600_000,
  timeoutSlackMs: 60_000,
  cooldownMs: 30_000,
  cooldownMaxMs: 900_000,
  turnPlacements: 256,
  limits: { licence: 2 },
  preemptGraceMs: 30_000,
  fairShareHalfLifeMs: 86_400_000,
  ownerWeights: {},
  ownerTasks: {},
};

export const METRICS: Metrics = {
  cpuPercent: 0,
  ramFreeMb: 0,
  ramTotalMb: 0,
  diskFreeMb: 0,
  gpus: [],
  logBytesPerSecond: 0,
  transferBytesPerSecond: 0,
};

export function blob(digit: string): BlobId {
  return digit.repeat(64) as BlobId;
}

type Needs = Partial<JobPolicy['requirements']>;

export function policy(needs: Needs = {}, more: Partial<Omit<JobPolicy, 'requirements'>> = {}): JobPolicy {
  const requirements = { cpu: 1, ramMb: 100, gpus: 0, gpuRamMb: 0, diskMb: 0, labels: [], limits: {}, ...needs };
  return {
    requirements,
    image: 'image',
    network: false,
    timeoutMs: 3_600_000,
    maxRetries: 3,
    preemptible: false,
    maxTasks: null,
    stopAfterFailures: 10,
    ...more,
  };
}

type Description = Partial<Omit<NodeDescription, 'id' | 'capacity'>> & Partial<NodeDescription['capacity']>;

export function description(id: string, more: Description = {}): NodeDescription {
  const { cpu = 4, ramMb = 4_000, diskMb = 10_000, gpus = [], ...rest } = more;
  return {
    id: id as NodeId,
    name: id,
    os: 'linux',
    arch: 'x64',
    version: '1',
    capacity: { cpu, ramMb, diskMb, gpus },
    labels: {},
    zone: '',
    maxParallel: 2,
    executors: ['docker'],
    availability: 'available',
    ...rest,
  };
}

export class TestFarm {
  farm: FarmState;
  now: Now = { wallMs: 1_700_000_000_000, elapsedMs: 1_000 };
  /** Of the last turn. */
  effects: CoordinatorEffect[] = [];
  /** Newest rows, as the store would have them. */
  readonly jobRows = new Map<number, JobRow>();
  readonly taskRows = new Map<string, TaskRow>();
  readonly nodeRows = new Map<NodeId, NodeRow>();
  readonly ownerRows = new Map<string, OwnerRow>();
  readonly decisions = new Map<number, CanaryDecision>();
  private readonly runs = new Map<string, CanaryRun>();
  /** Attempts, in the order in which they ended. */
  private readonly completed: AttemptRow[] = [];
  private readonly submitted = new Map<JobId, NewJob>();

  constructor(config: Partial<FarmConfig> = {}) {
    this.farm = createFarm({ ...CONFIG, ...config });
  }

  /** Lets events happen in one turn. */
  turn(...events: CoordinatorEvent[]): CoordinatorEffect[] {
    this.effects = [];
    for (const event of events) {
      if (event.type === 'job-submitted') this.submitted.set(event.job.id, event.job);
      const job = event.type === 'input-ready' ? this.submitted.get(event.job) : undefined;
      if (job !== undefined) this.submitted.set(job.id, { ...job, inputReady: true });
    }
    for (const event of events) this.happen(event);
    do this.happen({ type: 'turn-ended' });
    while (hasToPlace(this.farm));
    for (const effect of this.effects) {
      if (effect.type === 'save-job') this.jobRows.set(effect.row.id, effect.row);
      if (effect.type === 'save-canary') this.decisions.set(effect.job, effect.decision);
      if (effect.type === 'save-attempt' && effect.row.reason === 'completed') this.noteRun(effect.row);
      if (effect.type === 'save-owner') this.ownerRows.set(effect.row.owner, effect.row);
      if (effect.type === 'save-node') this.nodeRows.set(effect.row.description.id, effect.row);
      if (effect.type === 'remove-node') this.nodeRows.delete(effect.node);
      if (effect.type === 'save-task') this.taskRows.set(`${effect.row.job}.${effect.row.index}`, effect.row);
    }
    return this.effects;
  }

  /** One event, without the end of its turn. */
  happen(event: CoordinatorEvent): void {
    this.effects.push(...step(this.farm, event, this.now));
    const found = violations(this.farm);
    if (found.length > 0) throw new Error(`after ${event.type}: ${found.join('; ')}`);
  }

  /** The coordinator ends and starts again, with what was stored. */
  restart(config: Partial<FarmConfig> = {}): CoordinatorEffect[] {
    const jobs = [...this.jobRows.values()].filter((row) => !isTerminal(row.state)).map((row) => this.stored(row.id));
    this.farm = createFarm({ ...this.farm.config, ...config });
    return this.turn({ type: 'recovered', jobs, nodes: [...this.nodeRows.values()], owners: [...this.ownerRows.values()] });
  }

  /** What the store would hand over of a job now. */
  stored(id: number): StoredJob {
    const row = this.jobRows.get(id);
    const job = this.submitted.get(id as JobId);
    if (row === undefined || job === undefined) throw new Error(`job ${id} was never stored`);
    const endOf = (other: JobId) => {
      const state = this.jobRows.get(other)?.state ?? 'CANCELLED';
      return isTerminal(state) ? state : null;
    };
    return {
      row,
      owner: job.owner,
      ...this.afterCanary(job),
      input: job.input,
      inputReady: job.inputReady,
      after: job.after
        .filter(({ until }) => row.state === 'SUBMITTED' || until === 'tasks')
        .map(({ job: other, until }) => ({ job: other, until, ended: endOf(other), completed: this.completedOf(other) })),
      tasks: [...this.taskRows.values()].filter((task) => task.job === id),
      runs: this.completed.flatMap(({ job: of, node, ranForMs }) => (of === id && ranForMs ? [{ node, ranForMs }] : [])),
    };
  }

  private noteRun(row: AttemptRow): void {
    const { job, index, ranForMs, cpuMs, peakRamMb } = row;
    this.completed.push(row);
    this.runs.set(`${job}.${index}`, { index, ranForMs: ranForMs ?? 0, cpuMs, peakRamMb });
  }

  /** As the store would hand a job over: its policy as it was decided, or its canary with what is known of it. */
  private afterCanary({ id, policy: asked, canary, taskCount }: NewJob): Pick<StoredJob, 'policy' | 'canary'> {
    const decided = this.decisions.get(id)?.decided;
    if (decided !== undefined) {
      const { cpu, ramMb, timeoutMs } = decided;
      return { policy: { ...asked, requirements: { ...asked.requirements, cpu, ramMb }, timeoutMs }, canary: null };
    }
    const isComplete = (index: number) => this.taskState(`${id}.${index}`) === 'COMPLETED';
    const runs = canaryTasks(taskCount).flatMap((index) => (isComplete(index) ? [this.runs.get(`${id}.${index}`) as CanaryRun] : []));
    return { policy: asked, canary: canary === null ? null : { ...canary, runs } };
  }

  /** The canary with which a job was submitted. */
  planOf(id: JobId): NewJob['canary'] {
    return this.submitted.get(id)?.canary ?? null;
  }

  completedOf(id: number): number[] {
    return [...this.taskRows.values()].filter((row) => row.job === id && row.state === 'COMPLETED').map(({ index }) => index);
  }

  pass(ms: number): CoordinatorEffect[] {
    this.now = { wallMs: this.now.wallMs + ms, elapsedMs: this.now.elapsedMs + ms };
    return this.turn({ type: 'time-passed' });
  }

  /** As `pass`, with a heartbeat of each node on the way, often enough. */
  passAlive(ms: number, ...nodes: string[]): CoordinatorEffect[] {
    const all: CoordinatorEffect[] = [];
    for (let left = ms; left > 0; left -= 10_000) {
      all.push(...this.turn(...nodes.map(beat)));
      all.push(...this.pass(Math.min(left, 10_000)));
    }
    return all;
  }

  submit(id: number, more: Partial<Omit<NewJob, 'id'>> = {}): CoordinatorEffect[] {
    return this.turn({ type: 'job-submitted', job: newJob(id, more) });
  }

  join(id: string, more: Description = {}, attempts: HeldAttempt[] = [], carrier: 'link' | 'poll' = 'link'): CoordinatorEffect[] {
    return this.turn({ type: 'node-registered', node: description(id, more), carrier, attempts, cached: [] });
  }

  /** As a worker on the attempt's node would say. */
  start(attempt: string, node = this.nodeOf(attempt)): CoordinatorEffect[] {
    return this.turn({ type: 'attempt-started', node, ...keyOf(attempt) });
  }

  end(attempt: string, reason: EndReason = 'completed', node = this.nodeOf(attempt)): CoordinatorEffect[] {
    return this.turn({ type: 'attempt-ended', node, ...keyOf(attempt), end: end(reason) });
  }

  cancel(job: number, index?: number): CoordinatorEffect[] {
    return this.turn({ type: 'cancel', job: job as JobId, by: 'ann', ...(index === undefined ? {} : { index }) });
  }

  /** Attempts that this turn assigned, as `JOB.INDEX.NUMBER@NODE`. */
  assigned(): string[] {
    return this.of('assign').map(({ job, index, number, node }) => `${job}.${index}.${number}@${node}`);
  }

  of<Type extends CoordinatorEffect['type']>(type: Type): Extract<CoordinatorEffect, { type: Type }>[] {
    return this.effects.filter((effect): effect is Extract<CoordinatorEffect, { type: Type }> => effect.type === type);
  }

  /** The node that the newest attempts of a task were placed on. */
  nodeOf(attempt: string): NodeId {
    const { job, index } = keyOf(attempt);
    const node = this.taskRows.get(`${job}.${index}`)?.node;
    if (node === null || node === undefined) throw new Error(`${attempt} is on no node`);
    return node;
  }

  jobState(id: number): string | undefined {
    return this.jobRows.get(id)?.state;
  }

  taskState(task: string): string | undefined {
    return this.taskRows.get(task)?.state;
  }
}

export function newJob(id: number, more: Partial<Omit<NewJob, 'id'>> = {}): NewJob {
  return {
    id: id as JobId,
    owner: 'ann',
    policy: policy(),
    taskCount: 1,
    priority: 50,
    input: null,
    inputReady: true,
    after: [],
    canary: null,
    ...more,
  };
}

export function beat(id: string): CoordinatorEvent {
  return { type: 'heartbeat', node: id as NodeId, metrics: METRICS, availability: 'available' };
}

export function end(reason: EndReason): AttemptEnd {
  const exitCode = reason === 'completed' ? 0 : reason === 'exit' ? 1 : null;
  return { reason, exitCode, message: null, outputs: [], started: false, ranForMs: 10, cpuMs: null, peakRamMb: null, logBytes: 0 };
}

export function held(attempt: string, state: HeldAttempt['state'] = 'running'): HeldAttempt {
  return { attempt: attempt as AttemptId, state };
}

export function keyOf(attempt: string): { job: JobId; index: number; number: number } {
  const [job, index, number] = attempt.split('.').map(Number);
  return { job: job as JobId, index: index ?? 0, number: number ?? 1 };
}
