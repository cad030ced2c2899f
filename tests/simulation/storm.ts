import type { CoordinatorHost } from './coordinator-host.ts';
import type { PollHost } from './poll-host.ts';
import type { WorkerHost } from './worker-host.ts';
import type { World } from './world.ts';

export interface Farm {
  readonly world: World;
  readonly coordinator: CoordinatorHost;
  /** Those that a command makes come to them. */
  readonly workers: WorkerHost[];
  readonly pollers: readonly PollHost[];
}

const FAULTS = {
  'cut a connection': 6,
  'crash a worker': 4,
  'shut a worker down': 2,
  'put a worker to sleep': 3,
  'part the network': 2,
  'crash a poller': 1,
  'crash the coordinator': 2,
  'put the coordinator to sleep': 1,
  'set a wall clock': 2,
  'fill the disk': 1,
  'shrink a worker': 1,
  'owner comes': 2,
  'fill a worker': 1,
} as const;
type Fault = keyof typeof FAULTS;

/** Plans all that goes wrong with machines and network. */
export function brewStorm(farm: Farm): void {
  const { random, scenario, timeline, trace } = farm.world;
  for (let number = 0; number < scenario.faults; number++)
    timeline.at(random.whole(0, scenario.stormMs), () => {
      const fault = random.weighted(FAULTS);
      trace.add(timeline.nowMs, 'storm', fault);
      trace.count(fault);
      strike(farm, fault);
    });
}

/** Nothing new goes wrong, and all that is broken is mended. */
export function calm({ world, coordinator, workers, pollers }: Farm): void {
  world.calm = true;
  coordinator.disk.full = false;
  for (const worker of workers) {
    worker.restore();
    worker.unreachable = false;
    worker.owner('run', 'available');
    worker.diskFreeMb = worker.description.capacity.diskMb;
  }
  for (const poller of pollers) poller.start();
}

function strike({ world, coordinator, workers, pollers }: Farm, fault: Fault): void {
  const { random, timeline } = world;
  const worker = random.pick(workers);
  const soon = random.whole(500, 30_000);
  switch (fault) {
    case 'cut a connection':
      cut(world, worker);
      break;
    case 'crash a worker':
      worker.crash();
      break;
    case 'shut a worker down':
      worker.shutdown();
      break;
    case 'put a worker to sleep':
      worker.machine.sleep(random.whole(1_000, 90_000));
      if (random.chance(0.5)) cut(world, worker);
      break;
    case 'part the network':
      for (const one of workers) if (random.chance(0.5)) part(world, one, soon);
      break;
    case 'crash a poller': {
      const poller = pollers.length === 0 ? undefined : random.pick(pollers);
      poller?.crash();
      timeline.after(soon, () => poller?.start());
      break;
    }
    case 'crash the coordinator':
      coordinator.crash('power');
      break;
    case 'put the coordinator to sleep':
      coordinator.machine.sleep(random.whole(1_000, 60_000));
      break;
    case 'set a wall clock':
      random.pick([coordinator.machine, worker.machine]).jump(random.whole(-100_000_000, 100_000_000));
      break;
    case 'fill the disk':
      coordinator.disk.full = true;
      timeline.after(soon, () => {
        coordinator.disk.full = false;
      });
      break;
    default:
      trouble(world, worker, fault);
  }
}

/** What an owner who is there lets happen to work. */
const OWNER_LEVELS = ['slow', 'pause', 'return'] as const;

function trouble({ random, timeline }: World, worker: WorkerHost, fault: Fault): void {
  const { description } = worker;
  const until = random.whole(1_000, 40_000);
  switch (fault) {
    case 'shrink a worker':
      worker.shrink();
      timeline.after(until, () => worker.restore());
      break;
    case 'owner comes':
      worker.owner(random.pick(OWNER_LEVELS), random.pick(['owner-active', 'on-battery', 'owner-paused']));
      if (random.chance(0.5)) timeline.after(until / 2, () => worker.owner(random.pick(OWNER_LEVELS), 'owner-active'));
      timeline.after(until, () => worker.owner('run', 'available'));
      break;
    case 'fill a worker':
      worker.diskFreeMb = 10;
      timeline.after(until, () => {
        worker.diskFreeMb = description.capacity.diskMb;
      });
      break;
  }
}

/** Each side notices when it notices. */
function cut({ random }: World, worker: WorkerHost): void {
  const notices = () => (random.chance(0.7) ? random.whole(0, 500) : random.whole(1_000, 60_000));
  worker.connection?.cut({ workerMs: notices(), coordinatorMs: notices() });
}

function part(world: World, worker: WorkerHost, forMs: number): void {
  worker.unreachable = true;
  cut(world, worker);
  world.timeline.after(forMs, () => {
    worker.unreachable = false;
  });
}
