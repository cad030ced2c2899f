import type { CoordinatorEffect } from '../../electron/core/effects.ts';
import type { CoordinatorEvent } from '../../electron/core/events.ts';
import { violations } from '../../electron/core/invariants.ts';
import { jobRow, liveCanary, nodeRow, taskRow } from '../../electron/core/queries.ts';
import type { FarmState } from '../../electron/core/state.ts';
import { canaryTasks } from '../../shared/canary.ts';
import { type AttemptId, attemptId, type JobId, type NodeId, parseAttemptId, taskId } from '../../shared/ids.ts';
import { type AttemptRow, isTerminal, type JobRow, type Requirements, type TaskRow } from '../../shared/job.ts';
import { holds, isExpressionError, parseLabelExpression } from '../../shared/label-expression.ts';
import { LIMITS } from '../../shared/limits.ts';
import type { Gpu, NodeDescription, NodeHealth } from '../../shared/node.ts';
import type { Disk, Writes } from './disk.ts';
import type { Connection } from './network.ts';

/** A promise that was broken. */
export class Violation extends Error {}

/** An attempt that was sent to a worker and is not over there. */
interface OnWorker {
  readonly node: NodeId;
  readonly requirements: Requirements;
  readonly gpus: readonly string[];
  /** The connection it travels on until its worker has it. */
  sentOn: Connection | undefined;
  /** The coordinator has told, or is about to tell, the worker to stop it. */
  stopped: boolean;
  /** It was given up while its worker was away: it ends before anything new begins there, and nothing is reserved for it. */
  disowned: boolean;
  /** What its node was believed to have when it was sent. */
  readonly description: NodeDescription;
  begun: boolean;
}

type Assign = Extract<CoordinatorEffect, { type: 'assign' }>;

/**
 * Knows, as nobody on the farm can, what is on the disk, on the wire and on every worker, and says when a promise is
 * broken. It judges by the rows and effects that leave the core, and by what really runs; not by the core's memory.
 */
export class Referee {
  private readonly limits: Readonly<Record<string, number>>;
  private readonly pollers: ReadonlySet<NodeId>;
  private readonly onWorkers = new Map<AttemptId, OnWorker>();
  private readonly acknowledged = new Set<JobId>();
  private readonly completed = new Set<string>();
  private readonly sent = new Set<AttemptId>();
  /** Tasks that hold resources by their rows. */
  private readonly active = new Map<string, TaskRow>();
  /** Jobs that a person retried in the turn that is not committed yet. */
  private retried = new Set<JobId>();

  constructor(limits: Readonly<Record<string, number>>, pollers: readonly NodeDescription[]) {
    this.limits = limits;
    this.pollers = new Set(pollers.map(({ id }) => id));
  }

  fail(message: string): never {
    throw new Violation(message);
  }

  // ------------------------------------------------------------------------------------------------ the coordinator

  stepped(farm: FarmState, event: CoordinatorEvent): void {
    if (event.type === 'retry') this.retried.add(event.job.row.id);
    const [first] = violations(farm);
    if (first !== undefined) this.fail(`after ${event.type}: ${first}`);
  }

  /** A person has been told that the farm has this job. */
  submitted(job: JobId): void {
    this.acknowledged.add(job);
  }

  forgetUncommitted(): void {
    this.retried = new Set();
  }

  /** Judges a turn's rows against those that are on the disk, before they are written. */
  committing(disk: Disk, { rows, submissions }: Writes): void {
    const policies = new Map(submissions.map((submission) => [submission.id, submission.policy]));
    const ended = new Set(rows?.attempts.map((row) => attemptId(row.job, row.index, row.number)));
    for (const row of rows?.attempts ?? []) this.judgeAttempt(disk, row);
    for (const row of rows?.tasks ?? []) {
      const maxRetries = (policies.get(row.job) ?? disk.submissions.get(row.job)?.policy)?.maxRetries;
      if (maxRetries === undefined) this.fail(`task ${row.job}.${row.index} belongs to no job`);
      this.judgeTask(disk, row, ended, maxRetries);
    }
    for (const { job } of rows?.canaries ?? []) if (disk.decisions.has(job)) this.fail(`job ${job} is decided on a second time`);
    for (const row of rows?.jobs ?? []) this.judgeJob(disk.jobs.get(row.id), row);
  }

  /** What was written is what the core believes. */
  committed(disk: Disk, farm: FarmState, { rows }: Writes): void {
    this.retried = new Set();
    for (const row of rows?.jobs ?? []) this.compareJob(disk, farm, row.id);
    for (const row of rows?.tasks ?? []) {
      const id = taskId(row.job, row.index);
      if (row.state === 'ASSIGNED' || row.state === 'RUNNING') this.active.set(id, row);
      else this.active.delete(id);
      this.compareTask(disk, farm, row);
    }
    for (const { job, index, number, reason } of rows?.attempts ?? []) {
      if (reason === 'completed') this.completed.add(taskId(job, index));
      const task = this.active.get(taskId(job, index));
      if (task?.attempt === number) this.fail(`attempt ${attemptId(job, index, number)} has ended and its task is still ${task.state}`);
    }
  }

  /** All of memory against all of the disk; run now and then, because it is slow. */
  compareAll(disk: Disk, farm: FarmState): void {
    for (const job of this.acknowledged) if (!disk.jobs.has(job)) this.fail(`job ${job} was acknowledged and is lost`);
    for (const row of disk.jobs.values()) {
      this.compareJob(disk, farm, row.id);
      for (const task of disk.tasks.get(row.id)?.values() ?? []) this.compareTask(disk, farm, task);
    }
    for (const { description, health } of disk.nodes.values())
      this.compareHealth(description.id, health, nodeRow(farm, description.id)?.health);
  }

  /** Until when it is UNHEALTHY goes by the steady clock in memory, and by the wall clock on the disk. */
  private compareHealth(node: NodeId, stored: NodeHealth | null, live: NodeHealth | null | undefined): void {
    const isOut = [stored, live].map((health) => (health?.unhealthyUntil ?? null) !== null);
    if (isOut[0] !== isOut[1]) this.fail(`node ${node} is ${isOut[0] ? 'UNHEALTHY' : 'well'} on the disk, and not in memory`);
    for (const key of ['strikes', 'probation', 'failedJob', 'reason'] as const)
      if ((stored?.[key] ?? null) !== (live?.[key] ?? null))
        this.fail(`node ${node} has ${key} ${stored?.[key]} on the disk and ${live?.[key]} in memory`);
    if (String(stored?.convictions) !== String(live?.convictions))
      this.fail(`node ${node} was convicted of ${stored?.convictions} on the disk only`);
  }

  private compareJob(disk: Disk, farm: FarmState, job: JobId): void {
    const stored = disk.jobs.get(job);
    const live = jobRow(farm, job);
    if (stored === undefined || isTerminal(stored.state)) {
      if (live !== undefined) this.fail(`job ${job} has ended on the disk and is ${live.state} in memory`);
      return;
    }
    if (live === undefined) this.fail(`job ${job} is ${stored.state} on the disk and not in memory`);
    const undecided = disk.undecided(stored) !== null && canaryTasks(stored.taskCount).length > 0;
    if ((liveCanary(farm, job) !== null) !== undecided)
      this.fail(`job ${job} ${undecided ? 'waits for its canary on the disk' : 'is decided on the disk'}, and not in memory`);
    // Counts and sentences are stored with the next change of state; a start counts the tasks' rows anew.
    for (const key of ['state', 'priority', 'position', 'held', 'taskCount', 'restState', 'submittedAt'] as const)
      if (stored[key] !== live[key]) this.fail(`job ${job} has ${key} ${stored[key]} on the disk and ${live[key]} in memory`);
  }

  private compareTask(disk: Disk, farm: FarmState, row: TaskRow): void {
    const live = taskRow(farm, row.job, row.index);
    const stored = disk.task(row.job, row.index);
    const id = taskId(row.job, row.index);
    if (stored === undefined) this.fail(`task ${id} is not on the disk`);
    if (isTerminal(stored.state)) {
      if (live !== undefined) this.fail(`task ${id} has ended on the disk and is ${live.state} in memory`);
      return;
    }
    const job = disk.jobs.get(row.job);
    // An untouched task that was retried is implicit again, and a job's end covers those without an end of their own.
    if (live === undefined) {
      if (stored.state !== 'QUEUED' && job !== undefined && !isTerminal(job.state))
        this.fail(`task ${id} is ${stored.state} on the disk and not in memory`);
      return;
    }
    for (const key of ['state', 'attempt', 'retriesUsed', 'requeues', 'preemptions', 'node', 'startedAt'] as const)
      if (stored[key] !== live[key]) this.fail(`task ${id} has ${key} ${stored[key]} on the disk and ${live[key]} in memory`);
  }

  private judgeAttempt(disk: Disk, row: AttemptRow): void {
    const id = attemptId(row.job, row.index, row.number);
    if (disk.attempts.has(id)) this.fail(`the end of attempt ${id} is stored a second time`);
    if (row.reason === 'preempted' && disk.submissions.get(row.job)?.policy.preemptible !== true)
      this.fail(`${id} was interrupted for another, and may not be`);
    if (row.reason === 'completed') {
      if (this.completed.has(taskId(row.job, row.index))) this.fail(`task ${row.job}.${row.index} is committed a second time`);
      const [output] = row.outputs;
      if (output?.path !== id) this.fail(`attempt ${id} is stored with the outputs of ${output?.path}`);
    } else if (row.outputs.length > 0) this.fail(`attempt ${id} ended with ${row.reason} and has outputs`);
  }

  private judgeTask(disk: Disk, row: TaskRow, ended: ReadonlySet<AttemptId>, maxRetries: number): void {
    const id = taskId(row.job, row.index);
    const before = disk.task(row.job, row.index);
    if (before !== undefined && isTerminal(before.state) && before.state !== row.state)
      if (before.state === 'COMPLETED' || !this.retried.has(row.job)) this.fail(`task ${id} went from ${before.state} to ${row.state}`);
    if (row.attempt < (before?.attempt ?? 0)) this.fail(`task ${id} went back from attempt ${before?.attempt} to ${row.attempt}`);
    if (row.retriesUsed > maxRetries) this.fail(`task ${id} used ${row.retriesUsed} of ${maxRetries} retries`);
    if (row.requeues > LIMITS.freeRequeues) this.fail(`task ${id} was requeued ${row.requeues} times`);
    const lives = row.state === 'ASSIGNED' || row.state === 'RUNNING';
    const over = lives ? row.attempt - 1 : row.attempt;
    for (let number = Math.max(1, before?.attempt ?? 0); number <= over; number++) {
      const attempt = attemptId(row.job, row.index, number);
      if (!disk.attempts.has(attempt) && !ended.has(attempt))
        this.fail(`task ${id} is ${row.state} (${row.attempt}) and attempt ${number} has no end`);
    }
    if (lives && (row.attempt < 1 || row.node === null)) this.fail(`task ${id} is ${row.state} without an attempt or a node`);
    const current = attemptId(row.job, row.index, row.attempt);
    if (lives && (disk.attempts.has(current) || ended.has(current)))
      this.fail(`task ${id} is ${row.state} and its attempt ${row.attempt} has ended`);
  }

  private judgeJob(before: JobRow | undefined, row: JobRow): void {
    if (before !== undefined && isTerminal(before.state) && before.state !== row.state)
      if (before.state === 'COMPLETED' || !this.retried.has(row.id)) this.fail(`job ${row.id} went from ${before.state} to ${row.state}`);
    const counts = Object.values(row.counts);
    const sum = counts.reduce((left, right) => left + right, 0);
    if (sum !== row.taskCount || counts.some((count) => count < 0))
      this.fail(`job ${row.id} has ${row.taskCount} tasks and counts ${JSON.stringify(row.counts)}`);
  }

  // ------------------------------------------------------------------------------------------------ what is sent

  /** Judges a placement by the rows on the disk and by what is really on the worker. */
  assigning(disk: Disk, effect: Assign, connection: Connection | undefined): void {
    const { job, index, number, node, gpus } = effect;
    const id = attemptId(job, index, number);
    const task = disk.task(job, index);
    const submission = disk.submissions.get(job);
    const row = disk.nodes.get(node);
    if (task === undefined || task.attempt !== number || task.node !== node || task.state !== 'ASSIGNED')
      this.fail(`${id} is sent to ${node}, and on the disk the task is ${JSON.stringify(task)}`);
    if (submission === undefined || row === undefined) this.fail(`${id} is sent to ${node}, and one of them is not on the disk`);
    if (this.sent.has(id)) this.fail(`${id} is sent a second time`);
    this.sent.add(id);
    if (disk.jobs.get(job)?.held === true) this.fail(`${id} is sent although its job is held`);
    if (!submission.inputReady) this.fail(`${id} is sent although its input is not here`);
    this.judgeCanary(disk, id, job, index);
    for (const { job: other, until } of submission.after) {
      const state = disk.jobs.get(other)?.state ?? 'SUBMITTED';
      // A job that is waited for as a whole may be retried later; one that was let go then goes on.
      if (until === 'complete' && state !== 'COMPLETED') this.fail(`${id} is sent before job ${other} is complete`);
      if (until === 'tasks' && state !== 'COMPLETED' && disk.task(other, index)?.state !== 'COMPLETED')
        this.fail(`${id} is sent before task ${other}.${index} is complete`);
    }
    if (row.adminAvailability !== 'available') this.fail(`${id} is sent to ${node}, which is ${row.adminAvailability}`);
    const unfit = whyUnfit(submission.policy.requirements, submission.policy.image, row.description);
    if (unfit !== undefined) this.fail(`${id} is sent to ${node}, which lacks ${unfit}`);
    // Without a connection it is lost at once, and the next hello does not name it.
    if (connection === undefined && !this.pollers.has(node)) return;
    const { requirements } = submission.policy;
    this.onWorkers.set(id, {
      node,
      requirements,
      gpus,
      sentOn: connection,
      stopped: false,
      disowned: false,
      begun: false,
      description: row.description,
    });
    this.dropLost(disk, node);
    this.judgeLoad(id, row.description, ({ disowned }) => !disowned);
    this.judgeLimits(disk, id);
  }

  /** Before it is on the disk how the rest is to run, only the first, the middle and the last task are sent. */
  private judgeCanary(disk: Disk, id: AttemptId, job: JobId, index: number): void {
    const first = disk.submissions.get(job)?.canary == null ? [] : canaryTasks(disk.jobs.get(job)?.taskCount ?? 0);
    if (first.length > 0 && !first.includes(index) && !disk.decisions.has(job)) this.fail(`${id} is sent before its canary is decided on`);
  }

  stopping(attempt: AttemptId): void {
    const found = this.onWorkers.get(attempt);
    if (found !== undefined) found.stopped = true;
  }

  /** The worker may forget the attempt from now on. */
  acknowledging(disk: Disk, attempt: AttemptId, accepted: boolean): void {
    if (accepted && !disk.attempts.has(attempt)) this.fail(`the end of ${attempt} is acknowledged and not on the disk`);
    const key = parseAttemptId(attempt);
    if (accepted && key !== undefined && (disk.task(key.job, key.index)?.attempt ?? 0) < key.number)
      this.fail(`the end of ${attempt} is accepted and unknown to its task`);
  }

  /** The worker has said what it holds, and is told which of it to stop; what was told before may not have arrived. */
  welcoming(node: NodeId, stop: readonly AttemptId[]): void {
    for (const on of this.onWorkers.values()) if (on.node === node) on.stopped = false;
    for (const attempt of stop) {
      this.stopping(attempt);
      const on = this.onWorkers.get(attempt);
      if (on !== undefined) on.disowned = true;
    }
  }

  /** Nothing runs on a connected worker without the coordinator knowing of it or having it stopped. */
  performed(disk: Disk, isServed: (node: NodeId) => boolean): void {
    for (const [id, on] of this.onWorkers) {
      if (on.stopped || !isServed(on.node) || on.sentOn?.isWhole === false) continue;
      const key = parseAttemptId(id);
      const task = key === undefined ? undefined : disk.task(key.job, key.index);
      if (task === undefined || task.attempt !== key?.number || isTerminal(task.state) || task.state === 'QUEUED')
        this.fail(`${id} is on ${on.node}, was not stopped, and its task is ${task?.state} (${task?.attempt})`);
    }
  }

  /** No more is on the node than it has, whether one counts what was sent there or what has begun there. */
  private judgeLoad(id: AttemptId, { id: node, capacity, maxParallel }: NodeDescription, counts: (on: OnWorker) => boolean): void {
    const used = { slots: 0, cpu: 0, ramMb: 0 };
    let exclusive = false;
    const gpus = new Set<string>();
    for (const on of this.onWorkers.values()) {
      if (on.node !== node || !counts(on)) continue;
      used.slots++;
      if (on.requirements.exclusive === true) exclusive = true;
      used.cpu += on.requirements.cpu;
      used.ramMb += on.requirements.ramMb;
      for (const gpu of on.gpus) {
        if (gpus.has(gpu)) this.fail(`with ${id} ${gpu} of ${node} is in use twice`);
        gpus.add(gpu);
      }
    }
    if (exclusive && used.slots > 1) this.fail(`with ${id} ${node} has ${used.slots} attempts, one of which is to be alone`);
    if (used.slots > maxParallel || used.cpu > capacity.cpu + 1e-6 || used.ramMb > capacity.ramMb)
      this.fail(`with ${id} ${node} has ${JSON.stringify(used)} of ${maxParallel} slots and ${JSON.stringify(capacity)}`);
  }

  private dropLost(disk: Disk, node: NodeId): void {
    for (const [id, on] of this.onWorkers) if (on.node === node && this.isGone(disk, id, on)) this.onWorkers.delete(id);
  }

  /** It got lost on the way, or its polling worker will not begin it any more. */
  private isGone(disk: Disk, id: AttemptId, on: OnWorker): boolean {
    if (this.pollers.has(on.node)) {
      const key = parseAttemptId(id);
      const task = key === undefined ? undefined : disk.task(key.job, key.index);
      return on.stopped || task?.attempt !== key?.number || (task?.state !== 'ASSIGNED' && task?.state !== 'RUNNING');
    }
    return on.sentOn !== undefined && !on.sentOn.isWhole;
  }

  private judgeLimits(disk: Disk, id: AttemptId): void {
    const used = new Map<string, number>();
    for (const row of this.active.values())
      for (const [name, amount] of Object.entries(disk.submissions.get(row.job)?.policy.requirements.limits ?? {}))
        used.set(name, (used.get(name) ?? 0) + amount);
    for (const [name, amount] of used)
      if (amount > (this.limits[name] ?? Number.POSITIVE_INFINITY)) this.fail(`with ${id} ${amount} of the limit ${name} are held`);
  }

  // ------------------------------------------------------------------------------------------------ the workers

  workerStepped(node: NodeId, found: readonly string[]): void {
    if (found[0] !== undefined) this.fail(`worker ${node}: ${found[0]}`);
  }

  /** It can no longer get lost on its way. */
  arrived(attempt: AttemptId): void {
    const on = this.onWorkers.get(attempt);
    if (on !== undefined) on.sentOn = undefined;
  }

  running(node: NodeId, attempt: AttemptId): void {
    const on = this.onWorkers.get(attempt);
    // What a polling worker fetches may have been given up since, or placed just before a crash.
    if (on === undefined && this.pollers.has(node)) return;
    if (on === undefined || on.node !== node) this.fail(`${node} runs ${attempt}, which was not sent to it`);
    on.begun = true;
    this.judgeLoad(attempt, on.description, ({ begun }) => begun);
  }

  /** Nothing of it runs on its worker any more. */
  ended(attempt: AttemptId): void {
    this.onWorkers.delete(attempt);
  }

  crashed(node: NodeId): void {
    const isLost = (on: OnWorker) => on.node === node && (on.begun || !this.pollers.has(node));
    for (const [id, on] of this.onWorkers) if (isLost(on)) this.onWorkers.delete(id);
  }
}

function hasModel(gpu: Gpu, { gpuModel }: Requirements): boolean {
  return gpuModel === undefined || gpu.model.toLowerCase().includes(gpuModel.toLowerCase());
}

function whyUnfit(needs: Requirements, image: string | null, node: NodeDescription): string | undefined {
  if (!node.executors.includes('null') && !node.executors.includes(image === null ? 'host' : 'docker')) return 'the executor';
  if (needs.zone !== undefined && needs.zone !== node.zone) return `the zone ${needs.zone}`;
  for (const label of needs.labels) {
    const [name = '', value] = label.split('=');
    if (node.labels[name] === undefined || (value !== undefined && node.labels[name] !== value)) return `the label ${label}`;
  }
  const where = needs.where === undefined ? undefined : parseLabelExpression(needs.where);
  const labels: Record<string, string> = { ...node.labels, zone: node.zone, cpu: String(node.capacity.cpu) };
  if (where !== undefined && !isExpressionError(where) && !holds(where, (name) => labels[name])) return `what ${needs.where} asks for`;
  if (node.capacity.gpus.filter((gpu) => gpu.ramMb >= needs.gpuRamMb && hasModel(gpu, needs)).length < needs.gpus) return 'GPUs';
  if (node.capacity.diskMb < needs.diskMb) return 'disk';
  return undefined;
}
