import type { JobId, NodeId } from '../../shared/ids.ts';
import { taskId } from '../../shared/ids.ts';
import type { Explanation, NodeExplanation } from '../../shared/view.ts';
import { explainJob, hindrancesOf, limitObstacles } from './explain.ts';
import { canaryObstacles } from './explain-own.ts';
import { slotsOf } from './leases.ts';
import { findTask } from './live-tasks.ts';
import type { FarmNode, Job, QueueClass, Task } from './model.ts';
import { availabilityOf, statusOf } from './queries.ts';
import { hasWaiting } from './queue.ts';
import { firstJobs } from './ranking.ts';
import { canaryEnded, isFresh } from './rows.ts';
import type { FarmState } from './state.ts';

type Obstacle = Explanation['obstacles'][number];

/**
 * Says why one task of a living job waits, or what it is at.
 * @returns undefined for a task that has ended or never was
 */
export function explainTask(farm: FarmState, id: JobId, index: number): Explanation | undefined {
  const job = farm.jobs.get(id);
  const task = findTask(farm, id, index);
  if (job === undefined || (task === undefined && !isFresh(job, index))) return undefined;
  if (task !== undefined && task.node !== null) return placed(farm, job, task, task.node);
  const about = explainJob(farm, id);
  const own = [...heldForCanary(job, index), ...blockers(farm, job, index), ...avoided(farm, task)];
  const state = task?.state ?? (job.state === 'SUBMITTED' ? 'SUBMITTED' : 'QUEUED');
  const first = own.find(({ constraint }) => constraint === 'canary' || constraint === 'dependencies');
  return {
    ...about,
    state,
    summary: first === undefined ? about.summary : `It waits: ${first.message}.`,
    obstacles: [...own, ...about.obstacles.filter(({ constraint }) => constraint !== 'canary')],
  };
}

function placed(farm: FarmState, job: Job, task: Task, node: FarmNode): Explanation {
  const { name } = node.description;
  const seconds = Math.round((farm.now.elapsedMs - task.sinceMs) / 1_000);
  const at =
    task.state === 'RUNNING'
      ? `It has run on ${name} for ${seconds} s`
      : `It is being prepared on ${name} (${task.phase?.phase ?? 'sent'})`;
  const room = task.makesRoomFor === null ? '' : `; it was asked to make room for job ${task.makesRoomFor}`;
  const frozen = task.frozenSinceMs === 0 ? '' : `; its owner has frozen it`;
  return { job: job.id, state: task.state, summary: `${at}${room}${frozen}.`, obstacles: [], ahead: null, evidence: null };
}

/** All but the first tasks of its job wait for those. */
function heldForCanary(job: Job, index: number): Obstacle[] {
  const canary = job.activity?.canary;
  if (canary === null || canary === undefined || canary.tasks.includes(index)) return [];
  const known = canaryObstacles(job);
  if (known !== undefined) return known;
  const message = `it waits for the canary: ${canaryEnded(job, canary)} of ${canary.tasks.length} of the first tasks have ended`;
  return [{ constraint: 'canary', message, help: null, nodes: 0 }];
}

/** The counterparts in other jobs that have to complete first. */
function blockers(farm: FarmState, job: Job, index: number): Obstacle[] {
  const gate = job.activity?.gate;
  if (gate === null || gate === undefined) return [];
  return gate.jobs.flatMap((id, place): Obstacle[] => {
    if (id === undefined || ((gate.blocked[index] ?? 0) & (1 << place)) === 0) return [];
    const state = findTask(farm, id, index)?.state ?? 'QUEUED';
    return [
      {
        constraint: 'dependencies',
        message: `it begins when task ${taskId(id, index)} is complete, which is ${state}`,
        help: null,
        nodes: 0,
      },
    ];
  });
}

function avoided(farm: FarmState, task: Task | undefined): Obstacle[] {
  if (task === undefined || task.avoid.length === 0) return [];
  const names = task.avoid.map((id) => farm.nodes.get(id)?.description.name ?? id).join(', ');
  return [
    {
      constraint: 'avoid',
      message: `it failed on ${names}, and goes elsewhere while another node can serve it`,
      help: null,
      nodes: task.avoid.length,
    },
  ];
}

/**
 * Says what keeps a node from taking more: itself, or the work that waits. Costs a look at the first job of each class.
 * @returns undefined for a node that is not there
 */
export function explainNode(farm: FarmState, id: NodeId): NodeExplanation | undefined {
  const node = farm.nodes.get(id);
  if (node === undefined) return undefined;
  const own = ownSentence(node);
  const waiting = [...farm.classes.values()].filter(hasWaiting);
  const obstacles = own === undefined ? waiting.flatMap((queueClass) => whyNot(farm, node, queueClass)) : [];
  const counted = countAlike(obstacles);
  return { node: id, status: statusOf(farm, node), summary: own ?? workSentence(node, waiting.length, counted), obstacles: counted };
}

function ownSentence(node: FarmNode): string | undefined {
  if (node.presence === 'offline') return 'It takes nothing: it is not connected, or has fallen silent.';
  if (node.presence === 'grace') return 'It takes nothing for a moment: its connection was lost.';
  const availability = availabilityOf(node);
  if (availability !== 'available') return `It takes nothing: it is ${availability}.`;
  if (node.unhealthyUntilMs !== 0) return `It takes nothing for a while: ${node.healthReason ?? 'it is UNHEALTHY'}.`;
  if (node.usedSlots >= slotsOf(node))
    return `It takes no more: ${node.usedSlots} of ${slotsOf(node)} slots are in use${node.probation ? ', on probation' : ''}.`;
  if (node.exclusive > 0) return 'It takes no more: what runs there has it for itself.';
  return undefined;
}

function workSentence(node: FarmNode, waiting: number, obstacles: readonly Obstacle[]): string {
  if (waiting === 0) return 'It would take more: nothing waits.';
  if (node.earmark !== null) {
    const head = firstJobs(node.earmark, 1)[0];
    return `It is kept free for job ${head?.id ?? '?'}, which has waited long or has a higher priority.`;
  }
  if (obstacles.length === 0) return 'It is about to take more.';
  return `Of the work that waits nothing fits: ${obstacles[0]?.message}.`;
}

function whyNot(farm: FarmState, node: FarmNode, queueClass: QueueClass): Obstacle[] {
  const head = firstJobs(queueClass, 1)[0];
  return head === undefined ? [] : [...hindrancesOf(farm, head, node), ...limitObstacles(queueClass)];
}

/** The same for several jobs is said once; `nodes` then counts the kinds of work. */
function countAlike(obstacles: readonly Obstacle[]): Obstacle[] {
  const byMessage = new Map<string, Obstacle>();
  for (const one of obstacles) {
    const before = byMessage.get(one.message);
    byMessage.set(one.message, before === undefined ? one : { ...before, nodes: before.nodes + 1 });
  }
  return [...byMessage.values()].sort((one, other) => other.nodes - one.nodes);
}
