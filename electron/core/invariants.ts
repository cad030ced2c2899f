import { isTerminal } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import { nextDeadline } from './deadlines.ts';
import { mayTake } from './earmarks.ts';
import { firstOf, standsBefore } from './lanes.ts';
import { fitBits, fitsNow, isServing, limitsAllow, misfits } from './leases.ts';
import { liveTasks, taskOf, tasksOf } from './live-tasks.ts';
import { type Demand, type FarmNode, FIT, type Job, type Lane } from './model.ts';
import { nextCheck } from './nodes.ts';
import { cannotServe } from './placement.ts';
import { belongsInQueue } from './queue.ts';
import { firstJobs, isAtCap } from './ranking.ts';
import { canaryEnded, freshTasks, isFresh, openFreshTasks, taskCounts } from './rows.ts';
import { type FarmState, noCounts } from './state.ts';
import { stateOf } from './tasks.ts';

/**
 * What must hold between any two steps. For tests and simulation: costs a look at everything.
 * @returns a sentence for each thing that does not hold
 */
export function violations(farm: FarmState): string[] {
  const found: string[] = [];
  for (const job of farm.jobs.values()) checkJob(farm, job, found);
  for (const node of farm.nodes.values()) checkNode(farm, node, found);
  checkTotals(farm, found);
  checkLimits(farm, found);
  checkQueue(farm, found);
  checkEarmarks(farm, found);
  checkPreemptible(farm, found);
  checkOwners(farm, found);
  checkOpenLists(farm, found);
  if (farm.dirtyNodes.length === 0 && farm.dirtyClasses.length === 0) checkNothingMissed(farm, found);
  checkDependencies(farm, found);
  checkDeadlines(farm, found);
  return found;
}

function checkJob(farm: FarmState, job: Job, found: string[]): void {
  const name = `job ${job.id}`;
  if (isTerminal(job.state)) found.push(`${name} has ended and is still in memory`);
  if (job.state !== stateOf(job)) found.push(`${name} is ${job.state}, its tasks say ${stateOf(job)}`);
  const sum = Object.values(taskCounts(job)).reduce((total, count) => total + count, 0);
  if (sum !== job.taskCount) found.push(`${name} counts ${sum} tasks of ${job.taskCount}`);
  if (freshTasks(job) < 0) found.push(`${name} has a negative number of fresh tasks`);
  const { activity } = job;
  const seen = { QUEUED: 0, ASSIGNED: 0, RUNNING: 0 };
  for (const task of tasksOf(job)) {
    const { index } = task;
    const taskName = `task ${job.id}.${index}`;
    if (task.job !== job || taskOf(job, index) !== task) found.push(`${taskName} is filed under the wrong name`);
    if (task.state !== 'QUEUED' && task.state !== 'ASSIGNED' && task.state !== 'RUNNING') {
      found.push(`${taskName} is ${task.state} and still in memory`);
      continue;
    }
    seen[task.state]++;
    const live = task.state !== 'QUEUED';
    if (live !== (task.node !== null)) found.push(`${taskName} is ${task.state} ${live ? 'without' : 'with'} a node`);
    if (live && !(task.node?.tasks.includes(task) ?? false)) found.push(`${taskName} is not among the attempts of its node`);
    if (live && farm.nodes.get(task.node?.id as FarmNode['id']) !== task.node) found.push(`${taskName} is on a node that is gone`);
    const times =
      (activity?.requeued?.filter((other) => other === index).length ?? 0) +
      (activity?.gate?.returned.has(index) ? 1 : 0) +
      (activity?.canary?.returned.has(index) ? 1 : 0);
    if (!live && times !== 1) found.push(`${taskName} is not queued exactly once`);
    if (index >= job.cursor && !activity?.skipped?.has(index)) found.push(`${taskName} has moved and counts as fresh`);
  }
  const { ASSIGNED, RUNNING } = taskCounts(job);
  if (seen.ASSIGNED !== ASSIGNED || seen.RUNNING !== RUNNING || liveTasks(job) !== ASSIGNED + RUNNING)
    found.push(`${name} miscounts its live attempts`);
  const queued = (activity?.requeued?.length ?? 0) + (activity?.gate?.returned.size ?? 0) + (activity?.canary?.returned.size ?? 0);
  if (seen.QUEUED !== queued) found.push(`${name} has ${queued} requeued entries for ${seen.QUEUED}`);
  checkGate(farm, job, found);
  checkCanary(job, found);
  for (const index of activity?.skipped ?? [])
    if (index < job.cursor || index >= job.taskCount) found.push(`${name} skips ${index}, which the cursor has passed`);
}

/** What the gate says it let go is what it lets go. */
function checkGate(farm: FarmState, job: Job, found: string[]): void {
  const gate = job.activity?.gate;
  if (gate === null || gate === undefined) return;
  const open: number[] = [];
  for (let index = 0; index < job.taskCount; index++) if (isFresh(job, index) && gate.blocked[index] === 0) open.push(index);
  if (open.length !== gate.readyCount) found.push(`the gate of job ${job.id} counts ${gate.readyCount} of ${open.length} open tasks`);
  const ready = new Set(gate.ready.slice(gate.next));
  for (const index of open) if (!ready.has(index)) found.push(`task ${job.id}.${index} is open and not ready`);
  for (const index of gate.returned) if (gate.blocked[index] === 0) found.push(`task ${job.id}.${index} is held back by nothing`);
  for (const id of gate.jobs) {
    if (id === undefined) continue;
    if (!farm.jobs.has(id)) found.push(`job ${job.id} waits for tasks of job ${id}, which is gone`);
    if (!(farm.dependents.get(id)?.has(job.id) ?? false)) found.push(`job ${id} does not know that tasks of job ${job.id} wait for it`);
  }
}

/** As long as nothing is decided only its first tasks move. */
function checkCanary(job: Job, found: string[]): void {
  const canary = job.activity?.canary;
  if (canary === null || canary === undefined) return;
  for (const { index, state } of tasksOf(job))
    if (!canary.tasks.includes(index) && state !== 'QUEUED')
      found.push(`task ${job.id}.${index} is ${state} before its canary is decided on`);
  for (const index of job.activity?.requeued ?? [])
    if (!canary.tasks.includes(index)) found.push(`task ${job.id}.${index} may be placed before its canary is decided on`);
  for (const index of canary.returned)
    if (taskOf(job, index)?.state !== 'QUEUED') found.push(`task ${job.id}.${index} does not wait, and is held for the canary`);
  for (const index of canary.runs.keys())
    if (isFresh(job, index) || taskOf(job, index) !== undefined) found.push(`task ${job.id}.${index} was measured and has not ended`);
  if (canary.plan.approval === 'automatic' && canaryEnded(job, canary) === canary.tasks.length)
    found.push(`job ${job.id} waits although its canary has ended`);
}

function checkNode(farm: FarmState, node: FarmNode, found: string[]): void {
  const name = `node ${node.id}`;
  if (node.exclusive > 0 && node.usedSlots > 1 && !node.shrunk) found.push(`${name} is used by one alone, and by others`);
  const used = { cpuMilli: 0, ramMb: 0, diskMb: 0, slots: 0, gpus: 0, unknownGpus: 0 };
  const gpuIds: string[] = [];
  const hold = (demand: Demand, gpus: readonly string[]) => {
    used.cpuMilli += demand.cpuMilli;
    used.ramMb += demand.ramMb;
    used.diskMb += demand.diskMb;
    used.slots++;
    gpuIds.push(...gpus);
    if (demand.gpus > 0 && gpus.length === 0) used.unknownGpus++;
    else if (demand.gpus !== gpus.length) found.push(`${name} gave ${gpus.length} GPUs to an attempt that needs ${demand.gpus}`);
  };
  for (const task of node.tasks) {
    hold(task.job.shared.queueClass.demand, task.gpus);
    if (task.node !== node) found.push(`${name} has task ${task.job.id}.${task.index}, which is not on it`);
    if (farm.jobs.get(task.job.id) !== task.job) found.push(`${name} has an attempt of job ${task.job.id}, which is gone`);
  }
  for (const lease of node.stopping.values()) hold(lease.demand, lease.gpus);
  if (node.presence === 'offline' && used.slots > 0) found.push(`${name} is OFFLINE and has attempts`);
  if (
    used.cpuMilli !== node.usedCpuMilli ||
    used.ramMb !== node.usedRamMb ||
    used.diskMb !== node.usedDiskMb ||
    used.slots !== node.usedSlots ||
    used.unknownGpus !== node.unknownGpus
  )
    found.push(`${name} has reserved another sum than its attempts need`);
  if (new Set(gpuIds).size !== gpuIds.length) found.push(`${name} gave one GPU to two attempts`);
  for (const gpu of node.gpus) if (gpu.busy !== gpuIds.includes(gpu.id)) found.push(`${name} has the wrong idea of GPU ${gpu.id}`);
  const { capacity, maxParallel } = node.description;
  const over = used.cpuMilli > node.cpuMilli || used.ramMb > capacity.ramMb || used.diskMb > capacity.diskMb || used.slots > maxParallel;
  if (over && !node.shrunk) found.push(`${name} is overcommitted`);
}

function checkTotals(farm: FarmState, found: string[]): void {
  const jobs = noCounts();
  const tasks = noCounts();
  for (const job of farm.jobs.values()) {
    jobs[job.state]++;
    for (const [state, count] of Object.entries(taskCounts(job))) tasks[state as keyof typeof tasks] += count;
  }
  if (JSON.stringify(jobs) !== JSON.stringify(farm.jobCounts))
    found.push(`the farm counts its jobs as ${JSON.stringify(farm.jobCounts)}, they are ${JSON.stringify(jobs)}`);
  if (JSON.stringify(tasks) !== JSON.stringify(farm.taskCounts))
    found.push(`the farm counts its tasks as ${JSON.stringify(farm.taskCounts)}, they are ${JSON.stringify(tasks)}`);
}

function checkLimits(farm: FarmState, found: string[]): void {
  const adopted = [...farm.nodes.values()].some((node) => node.recovered);
  const used = new Map<string, number>();
  for (const node of farm.nodes.values()) {
    const demands = node.tasks.map((task) => task.job.shared.queueClass.demand);
    for (const lease of node.stopping.values()) demands.push(lease.demand);
    for (const demand of demands) for (const { limit, amount } of demand.limits) used.set(limit.name, (used.get(limit.name) ?? 0) + amount);
  }
  for (const limit of farm.limits.values()) {
    if ((used.get(limit.name) ?? 0) !== limit.used)
      found.push(`limit ${limit.name} counts ${limit.used} of ${used.get(limit.name) ?? 0} held`);
    if (limit.used > limit.capacity && !adopted) found.push(`limit ${limit.name} is exceeded: ${limit.used} of ${limit.capacity}`);
  }
}

function checkQueue(farm: FarmState, found: string[]): void {
  const queued = new Map<Job, number>();
  for (const queueClass of farm.classes.values()) {
    if (queueClass.jobs < 0) found.push(`class ${queueClass.key} has a negative number of jobs`);
    for (const [at, bucket] of queueClass.buckets.entries()) {
      const next = queueClass.buckets[at + 1];
      if (next !== undefined && next.priority >= bucket.priority) found.push(`class ${queueClass.key} has its priorities out of order`);
      let sum = 0;
      for (const lane of bucket.lanes.values()) {
        const live = liveEntries(lane, found);
        for (const job of live) queued.set(job, (queued.get(job) ?? 0) + 1);
        if (live.length !== lane.live) found.push(`a lane counts ${lane.live} of ${live.length} jobs`);
        sum += lane.live;
        checkLane(lane, found);
      }
      if (sum !== bucket.live) found.push(`a bucket counts ${bucket.live} of ${sum} jobs`);
    }
    for (const job of queueClass.parked) queued.set(job, (queued.get(job) ?? 0) + 1);
  }
  for (const job of farm.jobs.values()) {
    const times = queued.get(job) ?? 0;
    if (times !== (belongsInQueue(job) ? 1 : 0)) found.push(`job ${job.id} is in the queue ${times} times`);
    if (job.lane !== null && job.lane.bucket.priority !== job.priority) found.push(`job ${job.id} waits at another priority than its own`);
    queued.delete(job);
  }
  for (const job of queued.keys()) found.push(`job ${job.id} is in the queue and not in the farm`);
}

function checkLane(lane: Lane, found: string[]): void {
  const name = `the lane of ${lane.owner.name}`;
  const inHeap = lane.bucket.heap.items.includes(lane);
  if (inHeap !== (lane.standing === 'in')) found.push(`${name} is ${lane.standing}, its heap disagrees`);
  if (lane.live > 0 && lane.standing === 'out') found.push(`${name} has jobs and takes no part`);
  if ((lane.standing === 'blocked') !== lane.owner.blockedLanes.has(lane)) found.push(`${name} is ${lane.standing}, its owner disagrees`);
  if (lane.standing === 'blocked' && !isAtCap(lane.owner)) found.push(`${name} is blocked for nothing`);
  if (lane.share > lane.owner.share) found.push(`${name} stands further back than its owner`);
  if (lane.live > 0) checkTurn(lane, name, found);
}

function checkTurn(lane: Lane, name: string, found: string[]): void {
  const { turn, owner } = lane;
  if (!lane.isRanked || turn.lanes.items.filter((other) => other === lane).length !== 1) found.push(`${name} is not in its turn once`);
  if (lane.position > (firstOf(lane)?.position ?? 0)) found.push(`${name} stands further back than its first job`);
  const times = turn.tier.turns.items.filter((other) => other === turn).length;
  if (times !== (turn.standing === 'in' ? 1 : 0)) found.push(`the turn of ${owner.name} is ${turn.standing}, its tier disagrees`);
  if (turn.standing === 'out') found.push(`the turn of ${owner.name} takes no part and has jobs`);
  if (turn.standing === 'blocked' && !isAtCap(owner)) found.push(`the turn of ${owner.name} is blocked for nothing`);
  if (turn.share > owner.share) found.push(`the turn of ${owner.name} stands further back than its owner`);
  if (turn.standing === 'in' && turn.position > lane.position) found.push(`the turn of ${owner.name} stands further back than its lanes`);
}

/** Exactly the attempts that may be asked to make room are noted, each at the priority of its job. */
function checkPreemptible(farm: FarmState, found: string[]): void {
  let noted = 0;
  for (const tasks of farm.preemptible.values()) noted += tasks.size;
  for (const node of farm.nodes.values())
    for (const task of node.tasks) {
      const { job, makesRoomFor, preemptions } = task;
      const may = job.shared.policy.preemptible && makesRoomFor === null && preemptions < LIMITS.preemptions;
      const isNoted = farm.preemptible.get(job.priority)?.has(task) ?? false;
      if (may !== isNoted) found.push(`task ${job.id}.${task.index} ${may ? 'may' : 'may not'} make room, and is noted otherwise`);
      if (may) noted--;
    }
  if (noted !== 0) found.push('attempts that are over are noted as ones that may make room');
}

function checkEarmarks(farm: FarmState, found: string[]): void {
  for (const queueClass of farm.earmarked)
    if (queueClass.earmarks.size === 0 || farm.classes.get(queueClass.key) !== queueClass)
      found.push(`class ${queueClass.key} has lost the node that is kept free for it`);
  for (const node of farm.nodes.values())
    if (node.earmark !== null && (!farm.earmarked.has(node.earmark) || !node.earmark.earmarks.has(node)))
      found.push(`node ${node.id} is kept free for nobody`);
}

function checkOwners(farm: FarmState, found: string[]): void {
  const live = new Map<string, number>();
  for (const node of farm.nodes.values()) for (const { job } of node.tasks) live.set(job.owner.name, (live.get(job.owner.name) ?? 0) + 1);
  const jobs = new Map<string, number>();
  for (const { owner } of farm.jobs.values()) jobs.set(owner.name, (jobs.get(owner.name) ?? 0) + 1);
  for (const owner of farm.owners.values()) {
    if ((jobs.get(owner.name) ?? 0) !== owner.jobs) found.push(`${owner.name} counts ${owner.jobs} of ${jobs.get(owner.name) ?? 0} jobs`);
    if ((live.get(owner.name) ?? 0) !== owner.live)
      found.push(`${owner.name} counts ${owner.live} of ${live.get(owner.name) ?? 0} attempts`);
  }
  for (const job of farm.jobs.values()) {
    const { maxTasks } = job.shared.policy;
    if (liveTasks(job) > (maxTasks ?? Number.POSITIVE_INFINITY)) found.push(`job ${job.id} has more than ${maxTasks} tasks at once`);
  }
}

function liveEntries(lane: Lane, found: string[]): Job[] {
  const forward = lane.jobs.slice(lane.first);
  const entries = [...forward, ...lane.returned];
  for (let at = 1; at < forward.length; at++)
    if (!standsBefore(forward[at - 1] as Job, forward[at] as Job)) found.push('a lane is out of order');
  for (let at = 1; at < lane.returned.length; at++)
    if (!standsBefore(lane.returned[at] as Job, lane.returned[at - 1] as Job)) found.push('the returned jobs of a lane are out of order');
  return entries.filter((job): job is Job => job?.lane === lane);
}

/** A class is saturated when its list is empty, so the list must have every node that fits and is not still to be offered. */
function checkOpenLists(farm: FarmState, found: string[]): void {
  const ordinals = [...farm.freeOrdinals, ...Array.from(farm.nodes.values(), ({ ordinal }) => ordinal)];
  if (!ordinals.sort((one, other) => one - other).every((ordinal, at) => ordinal === at))
    found.push('two nodes have one ordinal, or one is lost');
  for (const queueClass of farm.classes.values()) {
    const listed = new Set(queueClass.open);
    if (listed.size !== queueClass.open.length) found.push(`class ${queueClass.key} lists a node twice`);
    for (const node of farm.nodes.values()) {
      const bits = fitBits(node, queueClass);
      if (((bits & FIT.listed) !== 0) !== listed.has(node)) found.push(`node ${node.id} and class ${queueClass.key} disagree on its list`);
      if ((bits & FIT.yes) !== 0 && misfits(node, queueClass).length > 0) found.push(`node ${node.id} remembers a class that does not fit`);
      const fits =
        isServing(node) && mayTake(node, queueClass) && misfits(node, queueClass).length === 0 && fitsNow(node, queueClass.demand);
      if (fits && !listed.has(node) && !node.isDirty) found.push(`node ${node.id} fits class ${queueClass.key} and is not in its list`);
      listed.delete(node);
    }
    if (listed.size > 0) found.push(`class ${queueClass.key} lists nodes that are gone`);
    for (const ordinal of farm.freeOrdinals)
      if ((queueClass.fit[ordinal] ?? 0) !== 0) found.push(`class ${queueClass.key} remembers a node that is gone`);
  }
}

/** With nothing marked for the next placement, the head of no class fits anywhere. */
function checkNothingMissed(farm: FarmState, found: string[]): void {
  // What is due is done by the next `time-passed`; until then refusals may have lapsed unnoticed.
  if ((nextDeadline(farm) ?? Number.POSITIVE_INFINITY) <= farm.now.elapsedMs) return;
  for (const queueClass of farm.classes.values()) {
    const head = firstJobs(queueClass, 1)[0];
    if (head === undefined || openFreshTasks(head) === 0 || !limitsAllow(queueClass.demand)) continue;
    const node = queueClass.open.find(
      (open) =>
        isServing(open) &&
        mayTake(open, queueClass) &&
        misfits(open, queueClass).length === 0 &&
        fitsNow(open, queueClass.demand) &&
        !cannotServe(farm, head, open),
    );
    if (node !== undefined) found.push(`job ${head.id} waits although node ${node.id} could take it`);
  }
}

function checkDependencies(farm: FarmState, found: string[]): void {
  for (const job of farm.jobs.values()) {
    for (const id of job.activity?.waitsFor?.keys() ?? []) {
      if (!farm.jobs.has(id)) found.push(`job ${job.id} waits for job ${id}, which is gone`);
      if (!(farm.dependents.get(id)?.has(job.id) ?? false)) found.push(`job ${id} does not know that job ${job.id} waits for it`);
    }
    if (job.state !== 'SUBMITTED' && (job.activity?.waitsFor?.size ?? 0) > 0) found.push(`job ${job.id} is queued and waits for others`);
  }
  for (const [id, waiting] of farm.dependents)
    for (const dependent of waiting) {
      const activity = farm.jobs.get(dependent)?.activity;
      if (!activity?.waitsFor?.has(id) && !activity?.gate?.jobs.includes(id))
        found.push(`job ${dependent} is told of job ${id} for nothing`);
    }
}

/** Whatever waits for time has a deadline that is not too late. */
function checkDeadlines(farm: FarmState, found: string[]): void {
  const entries = new Set(farm.deadlines.filter(({ atMs, node }) => atMs === node.checkAtMs).map(({ node }) => node));
  for (const node of farm.nodes.values()) {
    if (node.checkAtMs !== null && !entries.has(node)) found.push(`node ${node.id} has lost its deadline`);
    if ((node.checkAtMs ?? Number.POSITIVE_INFINITY) > nextCheck(farm, node)) found.push(`node ${node.id} would be looked at too late`);
  }
}
