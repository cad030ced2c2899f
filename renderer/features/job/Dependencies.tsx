import '@xyflow/react/dist/style.css';
import { Handle, type Node, type NodeProps, Position, ReactFlow } from '@xyflow/react';
import { memo, useMemo } from 'react';
import type { JobDetail } from '../../../shared/view.ts';
import { hrefOf } from '../../app/router.ts';
import { useJob } from '../../store/farm-store.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { controls } from '../../ui/controls.tsx';
import { StateChip } from '../../ui/state.tsx';
import css from './Dependencies.module.css';
import { type DependencyGraph, type DependencyKind, readDependencies } from './dependency-graph.ts';

const CARD = { width: 210, height: 58 } as const;
const GAP = { x: 90, y: 16 } as const;
const KIND_WORDS: Readonly<Record<DependencyKind, string>> = { complete: 'complete', ended: 'ended', tasks: 'task by task' };

/** What the job waits for, and what waits for it. Nothing for a job that stands alone. */
export function Dependencies({ detail, state }: { readonly detail: JobDetail; readonly state: string }) {
  const { spec, dependents } = detail;
  const stands = spec.after.length + spec.afterAny.length + spec.afterTasks.length + dependents.length > 0;
  return stands ? <Graph job={detail.id} state={state} /> : null;
}

function Graph({ job, state }: { readonly job: number; readonly state: string }) {
  const { answer: graph } = useAnswer((client) => readDependencies(client, job), [job, state]);
  const flow = useMemo(() => (graph === null ? null : toFlow(graph, job)), [graph, job]);
  if (graph === null || flow === null || graph.jobs.length < 2) return null;
  const rows = Math.max(...graph.jobs.map(({ row }) => row)) + 1;
  return (
    <section className={controls.panel} aria-label="Dependencies">
      <div className={controls.panelHead}>
        <h2>Dependencies</h2>
        <span className={css.soft}>{graph.isCut ? 'the nearest of them; ' : ''}each waits for those to its left</span>
      </div>
      <div className={css.graph} style={{ height: Math.min(420, rows * (CARD.height + GAP.y) + 40) }}>
        <ReactFlow
          nodes={flow.nodes}
          edges={flow.edges}
          nodeTypes={NODE_TYPES}
          fitView
          fitViewOptions={{ maxZoom: 1, padding: 0.08 }}
          minZoom={0.2}
          maxZoom={1.4}
          nodesDraggable={false}
          nodesConnectable={false}
          elementsSelectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          preventScrolling={false}
          zoomOnScroll={false}
        />
      </div>
    </section>
  );
}

function toFlow({ jobs, edges }: DependencyGraph, here: number) {
  return {
    nodes: jobs.map(({ id, name, column, row }) => ({
      id: String(id),
      type: 'job',
      position: { x: column * (CARD.width + GAP.x), y: row * (CARD.height + GAP.y) },
      data: { name, isHere: id === here },
      ...CARD,
    })),
    edges: edges.map(({ from, to, kind }) => ({
      id: `${from}-${to}-${kind}`,
      source: String(from),
      target: String(to),
      type: 'smoothstep',
      label: KIND_WORDS[kind],
    })),
  };
}

function JobCard({ id, data }: NodeProps<Node<{ name: string; isHere: boolean }>>) {
  const job = useJob(Number(id));
  return (
    <a
      className={css.card}
      href={hrefOf({ name: 'job', job: Number(id), task: null })}
      aria-current={data.isHere ? 'true' : undefined}
      title={data.name}
    >
      <Handle type="target" position={Position.Left} className={css.handle as string} isConnectable={false} />
      <strong>{data.name}</strong>
      <span>
        {job === undefined ? <span className={css.soft}>ended</span> : <StateChip state={job.state} held={job.held} />}
        <span className={css.soft}>{id}</span>
      </span>
      <Handle type="source" position={Position.Right} className={css.handle as string} isConnectable={false} />
    </a>
  );
}

const NODE_TYPES = { job: memo(JobCard) };
