import { type AttemptId, attemptId, type BlobId, parseAttemptId } from '../../shared/ids.ts';
import type { EndReason } from '../../shared/job.ts';
import type { NodeRow } from '../../shared/node.ts';
import type { HeldAttempt } from '../../shared/protocol.ts';
import { currentTask, startTask, thawTask } from './attempts.ts';
import { scheduleCheck } from './deadlines.ts';
import type { CoordinatorEvent } from './events.ts';
import { charge } from './fairness.ts';
import { beginProbation, recoverHealth } from './health.ts';
import { adoptGpus, describe, release } from './leases.ts';
import { FarmNode, type Task } from './model.ts';
import { forgetFits, forgetNode, noteNodeChanged } from './placement.ts';
import { askAgain, roomDueMs } from './preemption.ts';
import { rowOfNode } from './rows.ts';
import { type FarmState, nodeChanged } from './state.ts';
import { endAttempt, endBecause, madeRoom, settleJob } from './tasks.ts';

/** Nodes come, speak, fall silent and go. */

type EventOf<Type extends CoordinatorEvent['type']> = Extract<CoordinatorEvent, { type: Type }>;

/** Stored nodes, at a start: unheard of so far. */
export function recoverNodes(farm: FarmState, rows: readonly NodeRow[]): void {
  for (const row of rows) {
    const node = new FarmNode(row.description, row.carrier, row.registeredAt);
    node.adminAvailability = row.adminAvailability;
    node.lastSeenAt = row.lastSeenAt;
    describe(node, row.description);
    enterNode(farm, node);
    if (row.health !== null) recoverHealth(farm, node, row.health);
  }
}

/** After a start, nodes with attempts get as long to come back as a silent node gets. */
export function awaitRecoveredNodes(farm: FarmState): void {
  for (const node of farm.nodes.values()) {
    if (node.tasks.length === 0) continue;
    node.presence = 'grace';
    node.recovered = true;
    node.graceUntilMs = farm.now.elapsedMs + farm.config.offlineAfterMs;
    scheduleCheck(farm, node, nextCheck(farm, node));
  }
}

/** A worker said who it is and what it holds; what it holds rightly goes on, what it lost is queued again. */
export function nodeRegistered(farm: FarmState, event: EventOf<'node-registered'>): void {
  const known = farm.nodes.get(event.node.id);
  const node = known ?? new FarmNode(event.node, event.carrier, farm.now.wallMs);
  // A node that was removed and comes again is another: what jobs remember of the first must not be taken for it.
  if (known === undefined) node.epoch = farm.stepNumber;
  const changed = JSON.stringify(known?.description) !== JSON.stringify(event.node);
  if (changed || node.presence === 'offline' || node.recovered) node.epoch++;
  if (known === undefined) enterNode(farm, node);
  node.carrier = event.carrier;
  describe(node, event.node);
  forgetFits(farm, node);
  const reason: EndReason = node.recovered ? 'coordinator-restarted' : 'node-lost';
  node.presence = 'online';
  node.recovered = false;
  touch(farm, node);
  setCached(farm, node, event.cached);
  farm.effects.push({ type: 'save-node', row: rowOfNode(farm, node) });
  const keep = reconcile(farm, node, event.attempts, reason);
  scheduleCheck(farm, node, nextCheck(farm, node));
  const stop = event.attempts.map(({ attempt }) => attempt).filter((attempt) => !keep.has(attempt));
  farm.effects.push({ type: 'welcome', node: node.id, keep: [...keep], stop });
  noteNodeChanged(farm, node);
  nodeChanged(farm, node);
}

export function nodeDescribed(farm: FarmState, event: EventOf<'node-described'>): void {
  const node = farm.nodes.get(event.node.id);
  if (node === undefined) return;
  node.epoch++;
  describe(node, event.node);
  forgetFits(farm, node);
  touch(farm, node);
  farm.effects.push({ type: 'save-node', row: rowOfNode(farm, node) });
  noteNodeChanged(farm, node);
  nodeChanged(farm, node);
}

/** Costs a look at the node's attempts, unless its willingness or its cache changed. */
export function heartbeat(farm: FarmState, event: EventOf<'heartbeat'>): void {
  const node = farm.nodes.get(event.node);
  if (node === undefined || (node.carrier === 'link' && node.presence !== 'online')) {
    farm.effects.push({ type: 'disconnect', node: event.node, reason: 'it counts as offline; it should say hello again' });
    return;
  }
  touch(farm, node);
  for (const task of node.tasks) charge(farm, task);
  node.metrics = event.metrics;
  if (event.cached !== undefined) setCached(farm, node, event.cached);
  if (node.presence !== 'online') {
    node.presence = 'online';
    node.recovered = false;
    scheduleCheck(farm, node, nextCheck(farm, node));
    noteNodeChanged(farm, node);
  }
  if (node.ownerAvailability !== event.availability) {
    node.ownerAvailability = event.availability;
    noteNodeChanged(farm, node);
  }
  nodeChanged(farm, node);
}

export function nodeDisconnected(farm: FarmState, event: EventOf<'node-disconnected'>): void {
  const node = farm.nodes.get(event.node);
  if (node === undefined || node.presence !== 'online' || node.carrier === 'poll') return;
  node.presence = 'grace';
  node.graceUntilMs = farm.now.elapsedMs + farm.config.connectionGraceMs;
  scheduleCheck(farm, node, node.graceUntilMs);
  nodeChanged(farm, node);
}

export function nodeGoodbye(farm: FarmState, event: EventOf<'node-goodbye'>): void {
  const node = farm.nodes.get(event.node);
  if (node !== undefined && node.presence !== 'offline') goOffline(farm, node, 'its worker said goodbye');
}

export function nodeAdmin(farm: FarmState, event: EventOf<'node-admin'>): void {
  const node = farm.nodes.get(event.node);
  if (node === undefined || node.adminAvailability === event.availability) return;
  node.adminAvailability = event.availability;
  farm.effects.push({ type: 'save-node', row: rowOfNode(farm, node) });
  noteNodeChanged(farm, node);
  nodeChanged(farm, node);
}

export function nodeRemoved(farm: FarmState, event: EventOf<'node-removed'>): void {
  const node = farm.nodes.get(event.node);
  if (node === undefined) return;
  goOffline(farm, node, 'it was removed from the farm');
  setCached(farm, node, []);
  forgetNode(farm, node);
  node.checkAtMs = null;
  farm.nodes.delete(node.id);
  farm.freeOrdinals.push(node.ordinal);
  farm.effects.push({ type: 'remove-node', node: node.id }, { type: 'disconnect', node: node.id, reason: 'it was removed from the farm' });
}

function enterNode(farm: FarmState, node: FarmNode): void {
  node.ordinal = farm.freeOrdinals.pop() ?? farm.nodes.size;
  farm.nodes.set(node.id, node);
}

function touch(farm: FarmState, node: FarmNode): void {
  node.lastSeenMs = farm.now.elapsedMs;
  node.lastSeenAt = farm.now.wallMs;
}

/** Does what time has brought for a node whose deadline came, and asks for the next. */
export function checkNode(farm: FarmState, node: FarmNode): void {
  const now = farm.now.elapsedMs;
  const { offlineAfterMs, timeoutSlackMs } = farm.config;
  if (node.presence === 'grace' && node.graceUntilMs <= now) goOffline(farm, node, 'its node did not come back');
  if (node.presence === 'online' && node.lastSeenMs + offlineAfterMs <= now) {
    goOffline(farm, node, 'its node fell silent');
    if (node.carrier === 'link') farm.effects.push({ type: 'disconnect', node: node.id, reason: `silent for ${offlineAfterMs} ms` });
  }
  if (node.unhealthyUntilMs !== 0 && node.unhealthyUntilMs <= now) beginProbation(farm, node);
  if (lapse(node.refusalLapsesMs, now)) noteNodeChanged(farm, node);
  for (const task of [...node.tasks]) {
    if (limitOf(farm, task) > now) continue;
    endOverdue(farm, task);
    settleJob(farm, task.job);
  }
  for (const lease of [...node.stopping.values()])
    if (node.carrier === 'poll' && lease.sinceMs + timeoutSlackMs <= now) dropLease(farm, node, lease.attempt);
  scheduleCheck(farm, node, nextCheck(farm, node));
}

/** Drops the times that have come. @returns true when there was one */
function lapse(times: number[], now: number): boolean {
  const coming = times.findIndex((time) => time > now);
  return times.splice(0, coming < 0 ? times.length : coming).length > 0;
}

/** @returns the steady-clock time at which time alone next brings something for the node, ms */
export function nextCheck(farm: FarmState, node: FarmNode): number {
  const { offlineAfterMs, timeoutSlackMs } = farm.config;
  let next = Number.POSITIVE_INFINITY;
  if (node.presence === 'grace') next = node.graceUntilMs;
  if (node.presence === 'online') next = node.lastSeenMs + offlineAfterMs;
  if (node.unhealthyUntilMs !== 0) next = Math.min(next, node.unhealthyUntilMs);
  next = Math.min(next, node.refusalLapsesMs[0] ?? Number.POSITIVE_INFINITY);
  for (const task of node.tasks) next = Math.min(next, limitOf(farm, task));
  if (node.carrier === 'poll') for (const lease of node.stopping.values()) next = Math.min(next, lease.sinceMs + timeoutSlackMs);
  return next;
}

/** @returns the steady-clock time until which the attempt may stay as it is */
function limitOf(farm: FarmState, task: Task): number {
  const { assignTimeoutMs, timeoutSlackMs } = farm.config;
  const dueMs = roomDueMs(farm, task);
  if (task.frozenSinceMs !== 0) return dueMs;
  const limitMs = task.state === 'RUNNING' ? task.job.shared.policy.timeoutMs + timeoutSlackMs : assignTimeoutMs;
  return Math.min(dueMs, task.sinceMs + limitMs);
}

function endOverdue(farm: FarmState, task: Task): void {
  if (roomDueMs(farm, task) <= farm.now.elapsedMs) {
    endAttempt(farm, task, madeRoom(task, { exitCode: null, ranForMs: 0, cpuMs: null, peakRamMb: null }), 'stop');
    return;
  }
  const end =
    task.state === 'RUNNING'
      ? endBecause('timeout', `still running after ${task.job.shared.policy.timeoutMs} ms, and its worker said nothing of it`)
      : endBecause('infrastructure', `no sign of progress for ${farm.config.assignTimeoutMs} ms before it started`);
  endAttempt(farm, task, end, 'stop');
}

/** All that lives on the node is lost; its tasks are queued again at no cost. */
function goOffline(farm: FarmState, node: FarmNode, why: string): void {
  node.presence = 'offline';
  node.recovered = false;
  for (const task of [...node.tasks]) loseAttempt(farm, task, 'node-lost', why);
  for (const attempt of [...node.stopping.keys()]) dropLease(farm, node, attempt);
  farm.effects.push({ type: 'save-node', row: rowOfNode(farm, node) });
  noteNodeChanged(farm, node);
  nodeChanged(farm, node);
}

function loseAttempt(farm: FarmState, task: Task, reason: EndReason, why: string): void {
  endAttempt(farm, task, endBecause(reason, why), 'release');
  settleJob(farm, task.job);
}

function dropLease(farm: FarmState, node: FarmNode, attempt: AttemptId): void {
  const lease = node.stopping.get(attempt);
  if (lease === undefined) return;
  node.stopping.delete(attempt);
  release(farm, node, lease.demand, lease.gpus);
}

/** @returns the attempts of `held` that go on */
function reconcile(farm: FarmState, node: FarmNode, held: readonly HeldAttempt[], reason: EndReason): ReadonlySet<AttemptId> {
  const keep = new Set<AttemptId>();
  for (const { attempt, state, gpus } of held) {
    const key = parseAttemptId(attempt);
    const task = key === undefined ? undefined : currentTask(farm, { node: node.id, ...key });
    if (task === undefined) continue;
    keep.add(attempt);
    askAgain(farm, task);
    if (gpus !== undefined && task.gpus.length === 0) task.gpus = adoptGpus(node, task.job.shared.queueClass.demand, gpus);
    task.sinceMs = task.state === 'ASSIGNED' ? farm.now.elapsedMs : task.sinceMs;
    thawTask(farm, task);
    if (state === 'running') startTask(farm, task);
  }
  for (const task of [...node.tasks])
    if (!keep.has(attemptId(task.job.id, task.index, task.attempt))) loseAttempt(farm, task, reason, 'its node does not have it any more');
  // A worker on a link stops and forgets what it is not told to keep; one that polls was only registered anew.
  if (node.carrier === 'link') for (const attempt of [...node.stopping.keys()]) dropLease(farm, node, attempt);
  return keep;
}

/** Keeps the index of holders in step with what the node says is in its cache. */
function setCached(farm: FarmState, node: FarmNode, blobs: readonly BlobId[]): void {
  const now = new Set(blobs);
  for (const blob of node.cached) {
    if (now.has(blob)) continue;
    const holders = farm.holders.get(blob);
    holders?.delete(node);
    if (holders?.size === 0) farm.holders.delete(blob);
  }
  for (const blob of now) {
    const holders = farm.holders.get(blob);
    if (holders === undefined) farm.holders.set(blob, new Set([node]));
    else holders.add(node);
  }
  node.cached = now;
}
