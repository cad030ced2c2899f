import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Connection } from '../../../electron/compose/coordinator.ts';
import { jobSpecSchema } from '../../../shared/job.ts';
import type { CoordinatorSettings } from '../../../shared/settings.ts';
import { startTestNode } from '../../fakes/devices.ts';
import { programOptions, serve } from '../programs.ts';

/** A coordinator whose event loop can be watched. */

export interface CoordinatorOptions {
  readonly dataFolder: string;
  readonly settings: Partial<CoordinatorSettings>;
}

export type CoordinatorQuestion =
  | { readonly type: 'connection' }
  /** Submits this many jobs of one task each, as if by the API. */
  | { readonly type: 'fill'; readonly jobs: number; readonly spec: object }
  /** The longest delay of the event loop since the last such question, ms. */
  | { readonly type: 'longest-delay' };

export interface CoordinatorAnswer {
  readonly connection: Connection;
  readonly longestDelayMs: number;
}

/** Jobs of one `fill` that are submitted before their turn is awaited. */
const AT_ONCE = 1_000;
const BY = { subject: 'bench', roles: ['admin'] } as const;

const { dataFolder, settings } = programOptions<CoordinatorOptions>();
const node = await startTestNode({ dataFolder, coordinator: settings, works: false });
const { coordinator } = node;
if (coordinator === undefined) throw new Error('the node does not coordinate');
const delays = monitorEventLoopDelay({ resolution: 1 });

const { farm, connection } = coordinator;

async function fill(jobs: number, spec: object): Promise<void> {
  const parsed = jobSpecSchema.parse(spec);
  for (let done = 0; done < jobs; done += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, jobs - done) }, () => farm.submit(parsed, BY)));
}

serve<CoordinatorQuestion, CoordinatorAnswer>(async (question) => {
  if (question.type === 'fill') {
    // Not before: it takes a look every millisecond, and with it some percent of a core.
    delays.enable();
    await fill(question.jobs, question.spec);
  }
  const longestDelayMs = delays.max / 1e6;
  if (question.type === 'longest-delay') delays.reset();
  return { connection, longestDelayMs };
});

process.once('SIGTERM', async () => {
  await node.close();
  process.exit();
});
