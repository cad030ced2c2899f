import type { JobId } from '../../shared/ids.ts';
import { failingParts, type LabelExpression } from '../../shared/label-expression.ts';
import type { Explanation } from '../../shared/view.ts';
import { mayTake } from './earmarks.ts';
import { obstacle, ownObstacles } from './explain-own.ts';
import { usageOf } from './fairness.ts';
import { firstOfLane, standsBefore } from './lanes.ts';
import { type Constraint, hasLabel, labelsOf, misfits, slotsOf } from './leases.ts';
import { liveTasks } from './live-tasks.ts';
import type { FarmNode, Job, QueueClass } from './model.ts';
import { isOpen } from './open-nodes.ts';
import { cannotServe } from './placement.ts';
import { availabilityOf } from './queries.ts';
import { isAtOwnCap } from './queue.ts';
import { isAtCap } from './ranking.ts';
import { reliefFor } from './relief.ts';
import { taskCounts, waitingTasks } from './rows.ts';
import type { FarmState } from './state.ts';

type Obstacle = Explanation['obstacles'][number];

/**
 * Says why a job waits: which constraint fails where, and the smallest change that would help.
 * Costs a look at every node and at the part of the queue before the job.
 * @throws Error for a job that has ended or never was; whoever calls has looked
 */
export function explainJob(farm: FarmState, id: JobId): Explanation {
  const job = farm.jobs.get(id);
  if (job === undefined) throw new Error(`job ${id} is not in the farm`);
  const answer = (summary: string, obstacles: Obstacle[], ahead: number | null = null): Explanation => {
    return { job: id, state: job.state, summary, obstacles, ahead, evidence: null };
  };
  const own = ownObstacles(job);
  if (own[0] !== undefined) return answer(`It waits: ${own[0].message}.`, own);
  if (waitingTasks(job) === 0) return answer(placedSentence(job), []);

  const caps = capObstacles(job);
  if (caps[0] !== undefined) return answer(`It waits: ${caps[0].message}.`, caps);
  const limits = limitObstacles(job.shared.queueClass);
  const nodes = nodeObstacles(farm, job);
  const relief = nodes.open > 0 ? [] : reliefFor(farm, job);
  if (nodes.able === 0) {
    for (const one of relief) {
      const same = nodes.obstacles.findIndex(({ constraint }) => constraint === one.constraint);
      nodes.obstacles.splice(Math.max(0, same), same < 0 ? 0 : 1, one);
    }
    const first = nodes.obstacles[0];
    return answer(`No node can take it: ${first === undefined ? 'none is there' : first.message}.`, [...nodes.obstacles, ...limits]);
  }
  if (limits[0] !== undefined) return answer(`It waits: ${limits[0].message}.`, [...limits, ...nodes.obstacles]);
  const ahead = tasksAhead(job);
  const behind = ahead === 0 ? 'it is next in its queue' : `${ahead} tasks of higher priority or of earlier jobs go before it`;
  const sharing = sharingSentence(farm, job);
  if (nodes.open > 0) return answer(`It is about to be placed; ${behind}.${sharing}`, nodes.obstacles, ahead);
  const making = [...job.shared.queueClass.earmarks].filter((node) => node.tasks.some((task) => task.makesRoomFor !== null));
  if (making.length > 0)
    return answer(`Room is being made for it: work of lower priority is ending on ${names(making)}.`, nodes.obstacles, ahead);
  const busy = nodes.able === 1 ? 'The node that can serve it is busy' : `All ${nodes.able} nodes that can serve it are busy`;
  return answer(`${busy}; ${behind}.${sharing}`, [...relief, ...nodes.obstacles], ahead);
}

function placedSentence(job: Job): string {
  const { ASSIGNED, RUNNING } = taskCounts(job);
  return `Nothing of it waits: ${RUNNING} running, ${ASSIGNED} being prepared.`;
}

/** What the class needs of the farm's limits that is not to be had now. */
export function limitObstacles(queueClass: QueueClass): Obstacle[] {
  const obstacles: Obstacle[] = [];
  for (const { limit, amount } of queueClass.demand.limits) {
    if (limit.used + amount <= limit.capacity) continue;
    if (limit.capacity === 0) {
      obstacles.push(
        obstacle(limit.name, `the farm has no limit called ${limit.name}`, `define the limit ${limit.name}, or do not ask for it`),
      );
    } else if (amount > limit.capacity) {
      const message = `it needs ${amount} of the farm's limit ${limit.name}, which has ${limit.capacity} in all`;
      obstacles.push(obstacle(limit.name, message, `asking for ${limit.capacity} would let it start`));
    } else {
      const message = `the farm's limit ${limit.name} is used up: ${limit.used} of ${limit.capacity} in use, ${amount} needed`;
      obstacles.push(obstacle(limit.name, message, null));
    }
  }
  return obstacles;
}

/** What keeps a node from a job, beside what the node lacks for good. */
type Hindrance = Constraint | 'offline' | 'availability' | 'health' | 'image' | 'refused' | 'busy';
const HINDRANCES: readonly Hindrance[] = [
  'where',
  'executor',
  'zone',
  'labels',
  'gpus',
  'gpuModel',
  'gpuRamMb',
  'ramMb',
  'cpu',
  'diskMb',
  'image',
  'refused',
  'availability',
  'health',
  'offline',
  'busy',
];

/** @returns what keeps one node from a job, in sentences */
export function hindrancesOf(farm: FarmState, job: Job, node: FarmNode): Obstacle[] {
  return hindrances(farm, job, node).map((hindrance) => ({
    ...describeHindrance(hindrance, job, [node], [node]),
    constraint: hindrance,
    nodes: 1,
  }));
}

interface NodeFindings {
  /** Nodes that could run it, now or when they are free. */
  readonly able: number;
  /** Nodes that could run it at once. */
  readonly open: number;
  readonly obstacles: Obstacle[];
}

function nodeObstacles(farm: FarmState, job: Job): NodeFindings {
  const kept = new Map<Hindrance, FarmNode[]>();
  const alone = new Map<Hindrance, FarmNode[]>();
  let able = 0;
  let open = 0;
  for (const node of farm.nodes.values()) {
    const found = hindrances(farm, job, node);
    if (found.length === 0) open++;
    if (found.length === 0 || (found.length === 1 && found[0] === 'busy')) able++;
    for (const hindrance of found) add(kept, hindrance, node);
    if (found.length === 1 && found[0] !== undefined) add(alone, found[0], node);
  }
  const obstacles = HINDRANCES.flatMap((hindrance): Obstacle[] => {
    const nodes = kept.get(hindrance);
    if (nodes === undefined) return [];
    return [{ ...describeHindrance(hindrance, job, nodes, alone.get(hindrance) ?? []), constraint: hindrance, nodes: nodes.length }];
  });
  if (farm.nodes.size === 0) obstacles.push(obstacle('nodes', 'the farm has no nodes', 'start a worker'));
  // What could be changed with effect goes first, then what keeps out most nodes.
  obstacles.sort((one, other) => Number(other.help !== null) - Number(one.help !== null) || other.nodes - one.nodes);
  return { able, open, obstacles };
}

function hindrances(farm: FarmState, job: Job, node: FarmNode): Hindrance[] {
  const queueClass = job.shared.queueClass;
  const found: Hindrance[] = misfits(node, queueClass);
  if (cannotServe(farm, job, node))
    found.push(job.activity?.cannotServe?.get(node.id)?.reason === 'image-unavailable' ? 'image' : 'refused');
  if (node.presence === 'offline') found.push('offline');
  else if (availabilityOf(node) !== 'available') found.push('availability');
  else if (node.unhealthyUntilMs !== 0) found.push('health');
  else if (found.length === 0 && !isOpen(node, queueClass)) found.push('busy');
  return found;
}

function describeHindrance(
  hindrance: Hindrance,
  job: Job,
  kept: readonly FarmNode[],
  alone: readonly FarmNode[],
): Pick<Obstacle, 'message' | 'help'> {
  const { requirements: needs, image } = job.shared.policy;
  const count = nodesText(kept.length);
  switch (hindrance) {
    case 'cpu':
      return shortage('of CPU', 'cores', needs.cpu, kept, alone, (node) => node.cpuMilli / 1000);
    case 'ramMb':
      return shortage('of memory', 'MB', needs.ramMb, kept, alone, (node) => node.ramMb);
    case 'diskMb':
      return shortage('of disk', 'MB', needs.diskMb, kept, alone, (node) => node.diskMb);
    case 'gpus':
      return shortage('', 'GPUs', needs.gpus, kept, alone, (node) => node.gpus.length);
    case 'gpuModel':
      return {
        message: `needs ${needs.gpus} GPUs of the model "${needs.gpuModel}", and ${count} ${kept.length === 1 ? 'has' : 'have'} others (${modelsOf(kept)})`,
        help: help(alone, 'naming no model'),
      };
    case 'gpuRamMb':
      return shortage('of GPU memory', 'MB', needs.gpuRamMb, kept, alone, (node) => gpuRamFor(node, needs.gpus));
    case 'labels':
      return labelShortage(needs.labels, kept);
    case 'where':
      return whereShortage(job.shared.queueClass.where, kept, alone);
    case 'zone':
      return {
        message: `only zone ${needs.zone} may run it, and ${count} ${kept.length === 1 ? 'stands' : 'stand'} elsewhere`,
        help: help(alone, zonesOf(alone) === '' ? 'naming no zone' : `naming zone ${zonesOf(alone)}`),
      };
    case 'executor':
      return executorShortage(job.shared.queueClass.executor, count);
    case 'image':
      return { message: `the image ${image} cannot be had on ${count} (${names(kept)})`, help: 'check its name, or bring it to a node' };
    case 'refused':
      return { message: `${count} said that its executor is not to be had there (${names(kept)})`, help: null };
    case 'offline':
      return { message: `${count} ${are(kept)} OFFLINE (${names(kept)})`, help: help(alone, 'bringing one back') };
    case 'availability':
      return { message: `${count} ${are(kept)} not available (${reasons(kept)})`, help: help(alone, 'resuming one') };
    case 'health':
      return { message: `${count} ${are(kept)} UNHEALTHY for a while (${names(kept)})`, help: null };
    case 'busy':
      return { message: busySentence(kept, job), help: null };
  }
}

/** @param of reads from a node what there is of it */
function shortage(
  what: string,
  unit: string,
  need: number,
  kept: readonly FarmNode[],
  alone: readonly FarmNode[],
  of: (node: FarmNode) => number,
): Pick<Obstacle, 'message' | 'help'> {
  const thing = what === '' ? unit : `${unit} ${what}`;
  const most = largest(kept, of);
  const best = alone.length === 0 ? undefined : largest(alone, of);
  const message = `needs ${need} ${thing}, the largest node has ${of(most)} ${unit} (${most.description.name})`;
  return { message, help: best === undefined || of(best) === 0 ? null : `asking for ${of(best)} ${unit} would let it start` };
}

function largest(nodes: readonly FarmNode[], of: (node: FarmNode) => number): FarmNode {
  return nodes.reduce((best, node) => (of(node) > of(best) ? node : best));
}

/** @returns the memory that `count` GPUs of the node have at least, MB; 0 with fewer GPUs */
function gpuRamFor(node: FarmNode, count: number): number {
  return node.gpus.map((gpu) => gpu.ramMb).sort((one, other) => other - one)[count - 1] ?? 0;
}

function labelShortage(labels: readonly string[], kept: readonly FarmNode[]): Pick<Obstacle, 'message' | 'help'> {
  const missing = labels.filter((label) => kept.some((node) => !hasLabel(node.description.labels, label)));
  const named = missing.map((label) => `"${label}"`).join(', ');
  return {
    message: `needs the ${missing.length === 1 ? 'label' : 'labels'} ${named}, which ${nodesText(kept.length)} ${kept.length === 1 ? 'lacks' : 'lack'}`,
    help: `giving a node ${named}, or not asking for it, would help`,
  };
}

/** Names the parts of the condition that keep most nodes out, and those without which one could start. */
function whereShortage(
  where: LabelExpression | null,
  kept: readonly FarmNode[],
  alone: readonly FarmNode[],
): Pick<Obstacle, 'message' | 'help'> {
  if (where === null) return { message: '', help: null };
  const partsOf = (nodes: readonly FarmNode[]) => [...new Set(nodes.flatMap((node) => failingParts(where, labelsOf(node))))];
  const [only] = alone.map((node) => failingParts(where, labelsOf(node))).sort((one, other) => one.length - other.length);
  const message = `${nodesText(kept.length)} ${kept.length === 1 ? 'does' : 'do'} not meet the condition ${some(partsOf(kept))} (${names(kept)})`;
  return { message, help: only === undefined ? null : `leaving out ${only.join(' and ')} would let it start` };
}

function executorShortage(executor: 'docker' | 'host', count: string): Pick<Obstacle, 'message' | 'help'> {
  if (executor === 'host')
    return {
      message: `it runs without a container, and the host executor is off on ${count}`,
      help: 'turn the host executor on where its owner agrees, or name an image',
    };
  return {
    message: `it needs a container, and there is no container engine at work on ${count}`,
    help: 'start Docker or Podman on a node',
  };
}

function busySentence(kept: readonly FarmNode[], job: Job): string {
  const reserved = kept.filter((node) => !mayTake(node, job.shared.queueClass)).length;
  if (reserved === kept.length) return `${nodesText(kept.length)} that can serve it ${are(kept)} kept free for work that has waited long`;
  if (job.shared.policy.requirements.exclusive === true)
    return `${nodesText(kept.length)} that can serve it ${are(kept)} in use, and it wants one for itself`;
  const full = kept.filter((node) => node.usedSlots >= slotsOf(node)).length;
  const ramMb = job.shared.policy.requirements.ramMb;
  const freeRamMb = Math.max(...kept.map((node) => node.ramMb - node.usedRamMb));
  const rest = kept.length - full;
  if (rest === 0) return `${nodesText(kept.length)} that can serve it have all their slots in use`;
  return `${nodesText(kept.length)} that can serve it are busy (${full} without a free slot; it needs ${ramMb} MB, at most ${freeRamMb} MB are free)`;
}

/** @returns the waiting tasks of its class that go before it: those of higher priority, and of its owner's earlier jobs */
function tasksAhead(job: Job): number {
  let ahead = 0;
  for (const bucket of job.shared.queueClass.buckets) {
    if (bucket.priority < job.priority) break;
    for (const lane of bucket.lanes.values()) {
      if (bucket.priority === job.priority && lane.owner !== job.owner) continue;
      for (const other of firstOfLane(lane, lane.live))
        if (bucket.priority > job.priority || standsBefore(other, job)) ahead += waitingTasks(other);
    }
  }
  return ahead;
}

/** Others who wait at the same priority share the nodes with its owner. */
function sharingSentence(farm: FarmState, job: Job): string {
  const lanes = [...(job.lane?.bucket.lanes.values() ?? [])].filter((lane) => lane.live > 0 && lane.owner !== job.owner);
  if (lanes.length === 0) return '';
  const before = lanes.filter((lane) => lane.owner.share < job.owner.share).length;
  const hours = (usageOf(farm, job.owner) / 3_600_000).toFixed(1);
  const others = lanes.length === 1 ? '1 other owner waits' : `${lanes.length} other owners wait`;
  return ` ${others} at this priority, ${before} of whom have had less than ${job.owner.name} lately (${hours} core hours) and go first.`;
}

function capObstacles(job: Job): Obstacle[] {
  const { owner, shared } = job;
  const obstacles: Obstacle[] = [];
  if (isAtOwnCap(job)) {
    const message = `${liveTasks(job)} of its tasks run, and no more than ${shared.policy.maxTasks} may at once`;
    obstacles.push(obstacle('maxTasks', message, 'a higher maxTasks would let more start'));
  }
  if (isAtCap(owner)) {
    const message = `${owner.name} has ${owner.live} tasks at once, and may have ${owner.maxTasks}`;
    obstacles.push(obstacle('ownerTasks', message, `an administrator can allow ${owner.name} more (ownerTasks)`));
  }
  return obstacles;
}

function add(map: Map<Hindrance, FarmNode[]>, key: Hindrance, node: FarmNode): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [node]);
  else list.push(node);
}

/** Changing one thing helps only where nothing else is in the way. */
function help(alone: readonly FarmNode[], change: string): string | null {
  return alone.length === 0 ? null : `${change} would let it start`;
}

function nodesText(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}

function are(nodes: readonly FarmNode[]): string {
  return nodes.length === 1 ? 'is' : 'are';
}

function names(nodes: readonly FarmNode[]): string {
  return some(nodes.map((node) => node.description.name));
}

function reasons(nodes: readonly FarmNode[]): string {
  return some(nodes.map((node) => `${node.description.name}: ${availabilityOf(node)}`));
}

function zonesOf(nodes: readonly FarmNode[]): string {
  return some([...new Set(nodes.map((node) => node.description.zone).filter((zone) => zone !== ''))]);
}

function modelsOf(nodes: readonly FarmNode[]): string {
  return some([...new Set(nodes.flatMap((node) => node.description.capacity.gpus.map(({ model }) => model)))]);
}

function some(texts: readonly string[]): string {
  return texts.slice(0, 3).join(', ') + (texts.length > 3 ? ' and more' : '');
}
