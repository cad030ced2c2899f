import type { NodeView } from '../../shared/view.ts';
import type { Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { chooseNode } from './targets.ts';
import type { Style } from './terminal.ts';
import { plain, shortId } from './text.ts';
import { formatDuration } from './units.ts';

export const nodes: Handler = async (context) => {
  const client = await context.connect();
  const answer = await client.call('listNodes', { signal: context.signal });
  if (context.options.json === true) {
    context.terminal.json(answer);
    return EXIT.ok;
  }
  const now = Date.now();
  context.terminal.table(
    [
      { title: 'NAME', flexible: true },
      { title: 'NODE', flexible: true },
      { title: 'STATUS' },
      { title: 'AVAILABILITY' },
      { title: 'TASKS', align: 'right' },
      { title: 'CPU', align: 'right' },
      { title: 'RAM GIB', align: 'right' },
      { title: 'GPU', align: 'right' },
      { title: 'LOAD', align: 'right' },
      { title: 'RUNS' },
      { title: 'SEEN', align: 'right' },
      { title: 'REASON', flexible: true },
    ],
    answer.nodes.map((node) => {
      const { description, used, metrics } = node;
      return [
        description.name,
        shortId(description.id),
        { text: node.status, style: statusStyle(node) },
        node.availability,
        `${used.slots}/${description.maxParallel}`,
        `${round(used.cpu)}/${round(description.capacity.cpu)}`,
        `${round(used.ramMb / 1024)}/${round(description.capacity.ramMb / 1024)}`,
        `${used.gpus}/${description.capacity.gpus.length}`,
        metrics === null ? '-' : `${Math.round(metrics.cpuPercent)} %`,
        description.executors.join(',') || '-',
        `${formatDuration(now - node.lastSeenAt)} ago`,
        node.reason ?? '',
      ];
    }),
  );
  return EXIT.ok;
};

export const owners: Handler = async (context) => {
  const client = await context.connect();
  const answer = await client.call('listOwners', { signal: context.signal });
  if (context.options.json === true) {
    context.terminal.json(answer);
    return EXIT.ok;
  }
  context.terminal.table(
    [
      { title: 'OWNER', flexible: true },
      { title: 'CORE HOURS', align: 'right' },
      { title: 'WEIGHT', align: 'right' },
      { title: 'RUNNING', align: 'right' },
      { title: 'AT MOST', align: 'right' },
      { title: 'JOBS', align: 'right' },
    ],
    answer.owners.map((one) => [
      one.owner,
      one.coreHours.toFixed(2),
      String(one.weight),
      String(one.running),
      one.maxTasks === null ? '-' : String(one.maxTasks),
      String(one.jobs),
    ]),
  );
  return EXIT.ok;
};

export const pause = setAvailability('paused');
export const resume = setAvailability('available');
export const drain = setAvailability('draining');

export const forget: Handler = async (context, wishes) => {
  const client = await context.connect();
  const { nodes: known } = await client.call('listNodes', { signal: context.signal });
  for (const node of wishes.map((wish) => chooseNode(known, wish))) {
    await client.call('removeNode', { params: { node: node.description.id }, signal: context.signal });
    if (context.options.json !== true) context.terminal.line(`node ${nameOf(node)} is forgotten; it may join again`);
  }
  if (context.options.json === true) context.terminal.json({ ok: true });
  return EXIT.ok;
};

function setAvailability(availability: 'available' | 'draining' | 'paused'): Handler {
  return async (context, wishes) => {
    const client = await context.connect();
    const { nodes: known } = await client.call('listNodes', { signal: context.signal });
    const changed: NodeView[] = [];
    for (const node of wishes.map((wish) => chooseNode(known, wish))) {
      const params = { node: node.description.id };
      const view = await client.call('updateNode', { params, body: { availability }, signal: context.signal });
      changed.push(view);
      if (context.options.json !== true) context.terminal.line(`node ${nameOf(view)}: ${view.status}, ${view.availability}`);
    }
    if (context.options.json === true) context.terminal.json(changed.length === 1 ? changed[0] : changed);
    return EXIT.ok;
  };
}

function nameOf(node: NodeView): string {
  return `${plain(node.description.name)} (${plain(node.description.id)})`;
}

function statusStyle(node: NodeView): Style | undefined {
  const styles: Readonly<Record<NodeView['status'], Style>> = { IDLE: 'green', BUSY: 'cyan', UNHEALTHY: 'red', OFFLINE: 'yellow' };
  return styles[node.status];
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
