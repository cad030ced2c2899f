import type { JobView, NodeView, ViewEvent } from '../../shared/view.ts';
import type { Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { countsText } from './job-commands.ts';
import { plain } from './text.ts';

/** Shows what changes on the farm until it is interrupted: lines for people, NDJSON of `ViewEvent` with `--json`. */
export const events: Handler = async (context) => {
  const client = await context.connect();
  const describe = createChangeDescriber();
  for await (const event of client.watch(context.signal)) {
    if (context.options.json === true) await context.terminal.write(`${JSON.stringify(event)}\n`);
    else for (const line of describe(event)) await context.terminal.write(`${new Date().toLocaleTimeString('sv')}  ${line}\n`);
  }
  return EXIT.ok;
};

/** @returns a function that says in lines what an event changed in comparison with those before it */
export function createChangeDescriber(): (event: ViewEvent) => string[] {
  const seen = new Map<string, string>();
  const changes = (key: string, text: string): string[] => {
    if (seen.get(key) === text) return [];
    seen.set(key, text);
    return [text];
  };
  const jobLine = (job: JobView) =>
    changes(`job ${job.id}`, `job ${job.id} (${plain(job.name)}): ${job.state}${job.held ? ', held' : ''}, ${countsText(job)}`);
  const nodeLine = (node: NodeView) =>
    changes(
      `node ${node.description.id}`,
      `node ${plain(node.description.name)}: ${node.status}, ${node.availability}, ${node.used.slots} of ${node.description.maxParallel} slots used`,
    );
  return (event) => {
    if (event.type === 'snapshot') {
      seen.clear();
      for (const job of event.jobs) jobLine(job);
      const { nodes, jobs } = event;
      return [`farm ${plain(event.farm.name)}: ${nodes.length} nodes, ${jobs.length} jobs shown`, ...nodes.flatMap(nodeLine)];
    }
    const gone = [...event.removedJobs.map((id) => `job ${id}`), ...event.removedNodes.map((id) => `node ${plain(id)}`)];
    for (const key of gone) seen.delete(key);
    return [...event.jobs.flatMap(jobLine), ...event.nodes.flatMap(nodeLine), ...gone.map((key) => `${key}: removed`)];
  };
}
