import { useMemo } from 'react';
import type { JobDetail } from '../../../shared/view.ts';
import { hrefOf } from '../../app/router.ts';
import { useJob } from '../../store/farm-store.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { controls } from '../../ui/controls.tsx';
import { StateChip } from '../../ui/state.tsx';
import { CardGraph, graphCard } from '../graph/CardGraph.tsx';
import { type DependencyGraph, type DependencyKind, readDependencies } from './dependency-graph.ts';

const KIND_WORDS: Readonly<Record<DependencyKind, string>> = { complete: 'complete', ended: 'ended', tasks: 'task by task' };

/** What the job waits for, and what waits for it. Nothing for a job that stands alone. */
export function Dependencies({ detail, state }: { readonly detail: JobDetail; readonly state: string }) {
  const { spec, dependents } = detail;
  const stands = spec.after.length + spec.afterAny.length + spec.afterTasks.length + dependents.length > 0;
  return stands ? <Graph job={detail.id} state={state} /> : null;
}

function Graph({ job, state }: { readonly job: number; readonly state: string }) {
  const { answer: graph } = useAnswer((client) => readDependencies(client, job), [job], [state]);
  const shown = useMemo(() => (graph === null ? null : toCards(graph, job)), [graph, job]);
  if (graph === null || shown === null || graph.jobs.length < 2) return null;
  return (
    <section className={controls.panel} aria-label="Dependencies">
      <div className={controls.panelHead}>
        <h2>Dependencies</h2>
        <span className={controls.help}>{graph.isCut ? 'the nearest of them; ' : ''}each waits for those to its left</span>
      </div>
      <CardGraph {...shown} />
    </section>
  );
}

function toCards({ jobs, edges }: DependencyGraph, here: number) {
  return {
    cards: jobs.map(({ id, name, ...place }) => ({
      ...place,
      id: String(id),
      card: <JobCard id={id} name={name} isHere={id === here} />,
    })),
    edges: edges.map(({ from, to, kind }) => ({ from: String(from), to: String(to), label: KIND_WORDS[kind] })),
  };
}

function JobCard({ id, name, isHere }: { readonly id: number; readonly name: string; readonly isHere: boolean }) {
  const job = useJob(id);
  return (
    <a className={graphCard} href={hrefOf({ name: 'job', job: id, task: null })} aria-current={isHere ? 'true' : undefined} title={name}>
      <strong>{name}</strong>
      <span>
        {job === undefined ? <span className={controls.help}>ended</span> : <StateChip state={job.state} held={job.held} />}
        <span className={controls.help}>{id}</span>
      </span>
    </a>
  );
}
