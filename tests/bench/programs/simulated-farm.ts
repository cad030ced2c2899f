import { type JobView, jobViewSchema, type NodeView, nodeViewSchema, type Totals, type ViewEvent } from '../../../shared/view.ts';

type State = JobView['state'];
const NONE = { SUBMITTED: 0, QUEUED: 0, ASSIGNED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, TIMED_OUT: 0, CANCELLED: 0 };
const OWNERS = ['ines', 'tomas', 'nightly builds', 'render desk', 'mira'];
const TASKS = 48;
/** Of a hundred deltas one ends a job, takes another away and brings a new one. */
const COME_AND_GO = 100;

/** A farm that changes as a real one does, without doing any work. Its order is the same at every run. */
export class SimulatedFarm {
  #jobs: JobView[];
  readonly #nodes: NodeView[];
  #cursor = 0;
  #nextJob: number;
  #turn = 0;

  constructor(jobs: number, nodes: number) {
    this.#jobs = Array.from({ length: jobs }, (_, index) => makeJob(index + 1));
    this.#nextJob = jobs + 1;
    this.#nodes = Array.from({ length: nodes }, (_, index) => makeNode(index));
  }

  summary(): object {
    return { id: 'simulated', name: 'Simulated farm', version: '0.0.0', totals: this.#totals(), role: 'admin' };
  }

  task(): object {
    const attempt = (number: number) => ({
      ...{ id: `1.0.${number}`, task: '1.0', number, node: 'node-0', state: 'RUNNING', reason: null, message: null, exitCode: null },
      ...{ assignedAt: Date.now(), startedAt: Date.now(), finishedAt: null },
    });
    const task = { id: '1.0', job: 1, index: 0, state: 'RUNNING', attempt: 2, retriesUsed: 0, node: 'node-0', phase: null };
    const ends = { assignedAt: null, startedAt: null, finishedAt: null, exitCode: null, reason: null, message: null, parameters: {} };
    return { task: { ...task, ...ends }, attempts: [attempt(1), attempt(2)] };
  }

  snapshot(): ViewEvent {
    const farm = { id: 'simulated', name: 'Simulated farm' };
    return { type: 'snapshot', cursor: this.#cursor, farm, jobs: [...this.#jobs].reverse(), nodes: this.#nodes, totals: this.#totals() };
  }

  /** Changes `count` jobs and, with every tenth of them, reports of a node. */
  delta(count: number): ViewEvent {
    const jobs: JobView[] = [];
    const nodes: NodeView[] = [];
    const removedJobs: number[] = [];
    for (let index = 0; index < count; index += 1) {
      this.#turn += 1;
      const at = (this.#turn * 7_919) % this.#jobs.length;
      const job = progressed(this.#jobs[at] as JobView);
      this.#jobs[at] = job;
      jobs.push(job);
      if (this.#turn % 10 === 0) nodes.push(this.#report((this.#turn / 10) % this.#nodes.length));
      if (this.#turn % COME_AND_GO !== 0) continue;
      const gone = this.#jobs.shift() as JobView;
      removedJobs.push(gone.id);
      const made = makeJob(this.#nextJob++);
      this.#jobs.push(made);
      jobs.push(made);
    }
    this.#cursor += 1;
    const kept = jobs.filter(({ id }) => !removedJobs.includes(id));
    return { type: 'delta', cursor: this.#cursor, jobs: kept, removedJobs, nodes, removedNodes: [], totals: this.#totals() };
  }

  #report(index: number): NodeView {
    const before = this.#nodes[index] as NodeView;
    const cpuPercent = (this.#turn * 13) % 100;
    const node = { ...before, metrics: before.metrics === null ? null : { ...before.metrics, cpuPercent }, lastSeenAt: Date.now() };
    this.#nodes[index] = node;
    return node;
  }

  #totals(): Totals {
    const tasks = { ...NONE, RUNNING: this.#nodes.length * 4, QUEUED: this.#jobs.length * TASKS };
    const nodes = { IDLE: 0, BUSY: this.#nodes.length, UNHEALTHY: 0, OFFLINE: 0 };
    const cpu = { used: this.#nodes.length * 16, total: this.#nodes.length * 16 };
    return { jobs: { ...NONE, RUNNING: 500, QUEUED: this.#jobs.length - 500 }, tasks, nodes, cpu } as Totals;
  }
}

/** One task more is complete; after the last it begins anew, so that the farm never runs dry. */
function progressed(job: JobView): JobView {
  const done = (job.counts.COMPLETED + 1) % TASKS;
  return { ...job, ...progress(done), priority: job.priority };
}

function progress(done: number): Pick<JobView, 'state' | 'counts'> {
  const state: State = done === 0 ? 'QUEUED' : 'RUNNING';
  return { state, counts: { ...NONE, COMPLETED: done, RUNNING: done === 0 ? 0 : 4, QUEUED: Math.max(0, TASKS - done - 4) } };
}

function makeJob(id: number): JobView {
  return jobViewSchema.parse({
    position: id,
    ...{ id, name: `shot_${String(id % 900).padStart(3, '0')} v${id % 31}`, owner: OWNERS[id % OWNERS.length] as string },
    ...progress((id * 5) % TASKS),
    ...{ priority: 50, held: false, taskCount: TASKS, retries: id % 3, reason: null, eta: null, canaryPhase: null },
    ...{ submittedAt: Date.now(), queuedAt: Date.now(), startedAt: Date.now(), finishedAt: null },
  });
}

function makeNode(index: number): NodeView {
  const id = `node-${index}`;
  return nodeViewSchema.parse({
    description: {
      ...{ id, name: `render-${String(index).padStart(4, '0')}`, os: 'linux', arch: 'x64', version: '0.0.0', zone: `rack ${index % 20}` },
      ...{ capacity: { cpu: 16, ramMb: 65_536, diskMb: 900_000, gpus: [] }, labels: {}, maxParallel: 8, executors: ['docker'] },
      availability: 'available',
    },
    ...{ status: 'BUSY', availability: 'available', reason: null, used: { cpu: 16, ramMb: 32_768, gpus: 0, slots: 4 } },
    metrics: {
      ...{ cpuPercent: 50, ramFreeMb: 30_000, ramTotalMb: 65_536, diskFreeMb: 500_000, gpus: [] },
      ...{ logBytesPerSecond: 1_000, transferBytesPerSecond: 1_000_000 },
    },
    ...{ running: [`${index + 1}.0.1`], registeredAt: Date.now(), lastSeenAt: Date.now() },
  });
}
