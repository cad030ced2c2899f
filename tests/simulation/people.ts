import type { JobPolicy } from '../../electron/core/events.ts';
import { jobIds, jobRow, liveCanary } from '../../electron/core/queries.ts';
import type { CanaryPlan } from '../../shared/canary.ts';
import type { JobId } from '../../shared/ids.ts';
import type { Requirements } from '../../shared/job.ts';
import type { Wait } from './disk.ts';
import { SOME_BLOB } from './executor.ts';
import type { Random } from './random.ts';
import { LABELS, LIMIT_NAMES } from './scenario.ts';
import type { Farm } from './storm.ts';

const OWNERS = ['ann', 'bea', 'cid'] as const;

const COMMANDS = {
  'cancel a job': 3,
  'cancel a task': 2,
  'retry a job': 5,
  'hold a job': 3,
  'release a job': 2,
  'change a priority': 3,
  'move a job': 2,
  'approve a canary': 3,
  'pause a node': 2,
  'resume a node': 2,
  'remove a node': 1,
} as const;

/** Plans what people do while the storm lasts: they submit jobs, and cannot leave them alone. */
export function gatherPeople(farm: Farm): void {
  const { coordinator } = farm;
  const { random, scenario, timeline } = farm.world;
  for (let number = 0; number < scenario.jobs; number++)
    timeline.at(random.whole(0, scenario.stormMs * 0.8), () => coordinator.machine.whenAwake(() => submit(farm)));
  for (let number = 0; number < scenario.commands; number++)
    timeline.at(random.whole(0, scenario.stormMs), () => coordinator.machine.whenAwake(() => command(farm, random.weighted(COMMANDS))));
}

/** People let go of everything that only they can let go of. */
export function letGo(farm: Farm): void {
  const { coordinator, workers, pollers } = farm;
  const state = coordinator.farm;
  if (state === undefined) return;
  for (const job of jobIds(state))
    if (liveCanary(state, job)?.proposal != null) coordinator.post({ type: 'approve-canary', job, needs: {}, by: 'somebody' });
  for (const job of jobIds(state)) if (jobRow(state, job)?.held === true) coordinator.post({ type: 'hold', job, held: false });
  for (const { description } of [...workers, ...pollers])
    if (['paused', 'draining'].includes(coordinator.disk.nodes.get(description.id)?.adminAvailability ?? ''))
      coordinator.post({ type: 'node-admin', node: description.id, availability: 'available' });
  for (const { id, inputReady } of coordinator.disk.submissions.values()) if (!inputReady) bringInput(farm, id);
}

function submit(farm: Farm): void {
  const { coordinator } = farm;
  if (coordinator.farm === undefined) return;
  // What tasks are complete is read from the disk, so it must be all there.
  coordinator.settled((committed) => committed && submitNow(farm));
}

function submitNow(farm: Farm): void {
  const { coordinator, world } = farm;
  const { random, referee, timeline } = world;
  const after = drawWaits(farm);
  const own = random.chance(0.4) ? 1 : random.whole(2, random.pick([5, 15, 40, random.chance(0.05) ? 400 : 20]));
  const counterpart = after.find(({ until }) => until === 'tasks');
  const taskCount = counterpart === undefined ? own : (coordinator.disk.jobs.get(counterpart.job)?.taskCount ?? own);
  const id = coordinator.nextJobId();
  const owner = random.pick(OWNERS);
  const inputReady = random.chance(0.85);
  const input = inputReady && random.chance(0.5) ? SOME_BLOB : null;
  const policy = drawPolicy(farm);
  const canary = random.chance(0.3) ? drawCanary(random) : null;
  coordinator.post({
    type: 'job-submitted',
    job: {
      id,
      owner,
      policy,
      taskCount,
      priority: random.pick([10, 50, 50, 90]),
      input,
      inputReady,
      after: coordinator.disk.dependencies(after),
      canary,
    },
  });
  coordinator.addSubmission({ id, owner, policy, input, inputReady, after, canary });
  coordinator.settled((committed) => committed && referee.submitted(id));
  if (!inputReady) timeline.after(random.whole(10, 20_000), () => coordinator.machine.whenAwake(() => bringInput(farm, id)));
}

/** Some wait for jobs as a whole, some for the tasks of one, of which they then have as many. */
function drawWaits({ coordinator, world }: Farm): Wait[] {
  const { random } = world;
  const known = [...coordinator.disk.jobs.keys()];
  if (known.length === 0 || !random.chance(0.35)) return [];
  const first = random.pick(known);
  const second = random.pick(known);
  const waits: Wait[] = [{ job: first, until: random.pick(['complete', 'complete', 'ended', 'tasks']) }];
  if (second !== first) waits.push({ job: second, until: random.pick(['complete', 'ended']) });
  return waits;
}

/** The upload is through, or was given up. */
function bringInput({ coordinator, world }: Farm, job: JobId): void {
  const submission = coordinator.disk.submissions.get(job);
  if (coordinator.farm === undefined || submission === undefined || submission.inputReady) return;
  if (jobRow(coordinator.farm, job)?.state !== 'SUBMITTED') return;
  if (world.random.chance(0.2)) {
    coordinator.post({ type: 'input-failed', job, message: 'the upload was given up' });
    return;
  }
  coordinator.post({ type: 'input-ready', job, input: SOME_BLOB });
  coordinator.addSubmission({ ...submission, input: SOME_BLOB, inputReady: true });
}

function drawPolicy({ world }: Farm): JobPolicy {
  const { random, scenario } = world;
  const isForMade = (scenario.provision?.made ?? 0) > 0 && random.chance(0.25);
  return {
    requirements: isForMade ? FOR_MADE : drawRequirements(random),
    image: isForMade || random.chance(0.8) ? 'image' : null,
    network: random.chance(0.1),
    timeoutMs: random.pick([2_000, 10_000, 60_000]),
    maxRetries: random.whole(0, 3),
    preemptible: random.chance(0.4),
    stopAfterFailures: random.pick([0, 2, 5, 10]),
    maxTasks: random.chance(0.15) ? random.whole(1, 4) : null,
  };
}

function drawCanary(random: Random): CanaryPlan {
  return { approval: random.pick(['automatic', 'by-hand']), least: random.chance(0.3) ? { ramMb: 512 } : {} };
}

/** What only machines that a command makes can do. */
const FOR_MADE: Requirements = { cpu: 1, ramMb: 512, gpus: 0, gpuRamMb: 0, diskMb: 0, labels: ['cloud'], limits: {} };

function drawRequirements(random: Random): Requirements {
  const gpus = random.chance(0.15) ? random.whole(1, 2) : 0;
  return {
    cpu: random.pick([0.5, 1, 1, 2, 4]),
    ramMb: random.pick([64, 512, 1_024]),
    gpus,
    gpuRamMb: gpus > 0 && random.chance(0.5) ? 16_000 : 0,
    ...(gpus > 0 && random.chance(0.3) ? { gpuModel: 'Simulated' } : {}),
    diskMb: random.chance(0.1) ? 500 : 0,
    labels: random.chance(0.15) ? [random.pick(LABELS)] : [],
    ...(random.chance(0.1) ? { zone: 'north' } : {}),
    ...(random.chance(0.1) ? { where: random.pick(['fast && zone != south', 'cpu >= 4 || !fast']) } : {}),
    ...(random.chance(0.1) ? { prefer: ['fast'] } : {}),
    ...(random.chance(0.1) ? { zones: random.pick(['together', 'apart'] as const) } : {}),
    ...(random.chance(0.1) ? { exclusive: true } : {}),
    limits: random.chance(0.2) ? { [random.pick(LIMIT_NAMES)]: 1 } : {},
  };
}

function command(farm: Farm, what: keyof typeof COMMANDS): void {
  const { coordinator, world, workers, pollers } = farm;
  const { random, trace } = world;
  const { disk } = coordinator;
  if (coordinator.farm === undefined || disk.jobs.size === 0) return;
  trace.count(what);
  const job = random.pick([...disk.jobs.keys()]);
  const node = random.pick([...workers, ...pollers]).description.id;
  switch (what) {
    case 'cancel a job':
      coordinator.post({ type: 'cancel', job, by: 'somebody' });
      break;
    case 'cancel a task': {
      const index = random.whole(0, (disk.jobs.get(job)?.taskCount ?? 1) - 1);
      coordinator.post({ type: 'cancel', job, index, by: 'somebody' });
      break;
    }
    case 'retry a job':
      retry(farm);
      break;
    case 'hold a job':
    case 'release a job':
      coordinator.post({ type: 'hold', job, held: what === 'hold a job' });
      break;
    case 'change a priority':
      coordinator.post({ type: 'set-priority', job, priority: random.whole(0, 100) });
      break;
    case 'move a job':
      coordinator.post({ type: 'move', job, to: random.pick(['first', 'last', { before: random.pick([...disk.jobs.keys()]) }]) });
      break;
    case 'approve a canary':
      coordinator.post({
        type: 'approve-canary',
        job,
        needs: random.chance(0.3) ? { ramMb: random.pick([64, 2_000]) } : {},
        by: 'somebody',
      });
      break;
    case 'pause a node':
      coordinator.post({ type: 'node-admin', node, availability: random.pick(['paused', 'draining']) });
      break;
    case 'resume a node':
      coordinator.post({ type: 'node-admin', node, availability: 'available' });
      break;
    case 'remove a node':
      coordinator.post({ type: 'node-removed', node });
      break;
  }
}

/** As the daemon does: from the rows, when all that has happened so far is among them. */
function retry({ coordinator, world }: Farm): void {
  const { disk } = coordinator;
  coordinator.settled((committed) => {
    const candidates = [...disk.jobs.values()].filter(({ counts }) => counts.FAILED + counts.TIMED_OUT + counts.CANCELLED > 0);
    if (committed && candidates.length > 0) coordinator.post({ type: 'retry', job: disk.storedJob(world.random.pick(candidates)) });
  });
}
