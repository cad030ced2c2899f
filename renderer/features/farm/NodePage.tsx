import { parseAttemptId } from '../../../shared/ids.ts';
import type { NodeView } from '../../../shared/view.ts';
import { hrefOf } from '../../app/router.ts';
import { useFarm, useJob, useMayAdminister, useNode } from '../../store/farm-store.ts';
import { controls, Empty, Note } from '../../ui/controls.tsx';
import { formatFullTime, formatMemory, formatTime, plural } from '../../ui/format.ts';
import page from '../../ui/page.module.css';
import { Explained } from '../explain/Explained.tsx';
import { NodeCache } from './NodeCache.tsx';
import { NodeCharts } from './NodeCharts.tsx';
import { NodeHistory } from './NodeHistory.tsx';
import css from './NodePage.module.css';
import { NodeActions, NodeMeters, StatusChip } from './node-parts.tsx';
import { AVAILABILITY_WORDS } from './node-text.ts';

/** One machine: how it is, what it runs, what it offers. */
export function NodePage({ node: id }: { readonly node: string }) {
  const node = useNode(id);
  const isLoading = useFarm((farm) => farm.farm === null);
  const mayAdminister = useMayAdminister();
  if (node === undefined)
    return (
      <div className={page.page}>
        {!isLoading && (
          <Empty icon={null} title="There is no such node">
            <p>It may have been removed. A worker that connects again appears under the farm.</p>
            <a href={hrefOf({ name: 'farm' })}>To the farm</a>
          </Empty>
        )}
      </div>
    );
  const said = [AVAILABILITY_WORDS[node.availability], node.reason].filter((text) => text !== null).join('. ');
  return (
    <div className={page.page}>
      <header className={page.head}>
        <div className={page.title}>
          <a className={page.crumb} href={hrefOf({ name: 'farm' })}>
            Farm
          </a>
          <h1>{node.description.name}</h1>
          <StatusChip status={node.status} />
        </div>
        {mayAdminister && (
          <div className={page.actions}>
            <NodeActions node={node} />
          </div>
        )}
      </header>
      {said !== '' && <Note>{said}</Note>}
      <Explained label="Why nothing more runs here" about={id} ask={(client) => client.call('explainNode', { params: { node: id } })} />
      <div className={css.columns}>
        <div className={css.column}>
          <section className={controls.panel} aria-label="Over time">
            <div className={controls.panelHead}>
              <h2>Over time</h2>
              <span className={css.soft}>since this screen was opened</span>
            </div>
            <div className={controls.panelBody}>
              <NodeCharts node={id} />
            </div>
          </section>
          <section className={controls.panel} aria-label="Running now">
            <div className={controls.panelHead}>
              <h2>Running now</h2>
              <span className={css.soft}>{plural(node.running.length, 'task')}</span>
            </div>
            <div className={controls.panelBody}>
              {node.running.length === 0 && <p className={css.soft}>Nothing. It takes the next task that fits.</p>}
              <ul className={css.running}>
                {node.running.map((attempt) => (
                  <Running key={attempt} attempt={attempt} />
                ))}
              </ul>
            </div>
          </section>
        </div>
        <div className={css.column}>
          <Description node={node} />
          <NodeCache node={id} name={node.description.name} isHere={node.status !== 'OFFLINE'} />
        </div>
      </div>
      <NodeHistory node={id} running={node.running.join()} />
    </div>
  );
}

function Running({ attempt }: { readonly attempt: string }) {
  const key = parseAttemptId(attempt);
  const job = useJob(key?.job ?? 0);
  if (key === undefined) return null;
  return (
    <li>
      <a href={hrefOf({ name: 'job', job: key.job, task: key.index })}>{job?.name ?? `Job ${key.job}`}</a>
      <span className={css.soft}>task {key.index}</span>
      <a href={hrefOf({ name: 'log', attempt })}>Log</a>
    </li>
  );
}

function Description({ node }: { readonly node: NodeView }) {
  const { description, metrics } = node;
  const labels = Object.entries(description.labels).map(([name, value]) => (value === '' ? name : `${name}=${value}`));
  const facts: readonly (readonly [string, string])[] = [
    ['System', `${description.os}, ${description.arch}`],
    ['Version', description.version],
    ['Zone', description.zone === '' ? 'none' : description.zone],
    ['Shares', `${plural(description.capacity.cpu, 'core')}, ${formatMemory(description.capacity.ramMb)}`],
    ['GPUs', description.capacity.gpus.length === 0 ? 'none' : description.capacity.gpus.map((gpu) => gpu.model).join(', ')],
    ['Tasks at once', String(description.maxParallel)],
    ['Runs jobs with', description.executors.join(', ') || 'nothing: no executor works'],
    ['Disk free', metrics === null ? 'not reported' : formatMemory(metrics.diskFreeMb)],
    ['Labels', labels.join(', ') || 'none'],
    ['Joined', formatFullTime(node.registeredAt)],
    ['Last seen', formatTime(node.lastSeenAt)],
    ['Id', description.id],
  ];
  return (
    <section className={controls.panel} aria-label="The machine">
      <div className={controls.panelHead}>
        <h2>The machine</h2>
      </div>
      <div className={css.machine}>
        <NodeMeters node={node} />
        <dl>
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </div>
    </section>
  );
}
