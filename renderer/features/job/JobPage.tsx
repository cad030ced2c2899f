import { CopyPlus } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { JobDetail, JobView } from '../../../shared/view.ts';
import { go, hrefOf } from '../../app/router.ts';
import { useClient } from '../../client/client.ts';
import { useFarm, useJob, useMaySubmit } from '../../store/farm-store.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { controls, ErrorNote } from '../../ui/controls.tsx';
import { formatCount, formatDuration, formatFullTime, formatMemory, plural } from '../../ui/format.ts';
import page from '../../ui/page.module.css';
import { CountsBar, endedCount, isLive, STATE_LOOKS, StateChip } from '../../ui/state.tsx';
import { restText } from '../jobs/estimate.ts';
import { JobActionButtons } from '../jobs/JobActionButtons.tsx';
import { repeatJob } from '../submit/draft.ts';
import { CanaryPanel } from './CanaryPanel.tsx';
import { Dependencies } from './Dependencies.tsx';
import css from './JobPage.module.css';
import { Outputs } from './Outputs.tsx';
import { TaskGrid } from './TaskGrid.tsx';
import { TaskPanel } from './TaskPanel.tsx';
import { Timeline } from './Timeline.tsx';
import { createTaskPages, type TaskPages } from './task-pages.ts';
import { WhyWaiting } from './WhyWaiting.tsx';

interface JobPageProps {
  readonly job: number;
  /** The task that is looked at, if any. */
  readonly task: number | null;
}

/** One job: how far it is, where, what came of it, and what it was asked to do. */
export function JobPage({ job: id, task }: JobPageProps) {
  const live = useJob(id);
  // What it asks for changes when it is decided how its canary is followed.
  const { answer: detail, error } = useAnswer((farm) => farm.call('getJob', { params: { job: id } }), [id], [live?.canaryPhase]);
  // A job of long ago is not among those that are watched: then it is as it was read.
  const job = live ?? detail;
  if (job === null && error !== null)
    return (
      <div className={page.page}>
        <ErrorNote error={error}>
          <a href={hrefOf({ name: 'jobs' })}>Back to the jobs</a>
        </ErrorNote>
      </div>
    );
  if (job === null) return <div className={page.page} aria-busy="true" />;
  return <JobScreen job={job} detail={detail} task={task !== null && task < job.taskCount ? task : null} />;
}

interface JobScreenProps {
  readonly job: JobView;
  readonly detail: JobDetail | null;
  readonly task: number | null;
}

function JobScreen({ job, detail, task }: JobScreenProps) {
  const maySubmit = useMaySubmit();
  const pages = useTaskPages(job);
  const select = (index: number) => go({ name: 'job', job: job.id, task: index });
  return (
    <div className={page.page}>
      <header className={page.head}>
        <div className={page.title}>
          <a className={page.crumb} href={hrefOf({ name: 'jobs' })}>
            Jobs
          </a>
          <h1 title={job.name}>{job.name}</h1>
          <span className={page.crumb}>{job.id}</span>
        </div>
        {maySubmit && (
          <div className={page.actions}>
            {detail !== null && (
              <button
                type="button"
                className={controls.button}
                onClick={() => {
                  repeatJob(detail.spec);
                  go({ name: 'submit' });
                }}
              >
                <CopyPlus aria-hidden /> Submit again…
              </button>
            )}
            <JobActionButtons jobs={[job]} />
          </div>
        )}
      </header>
      <Progress job={job} />
      <WhyWaiting job={job} />
      {(job.canaryPhase !== null || detail?.canary != null) && <CanaryPanel job={job} />}
      <div className={css.columns} data-side={task !== null}>
        <div className={css.column}>
          <section className={controls.panel} aria-label="Tasks of the job">
            <div className={controls.panelHead}>
              <h2>Tasks</h2>
              <Legend job={job} />
            </div>
            <div className={controls.panelBody}>
              <PagesError pages={pages} />
              <TaskGrid pages={pages} count={job.taskCount} selected={task} onSelect={select} />
            </div>
          </section>
          <Outputs
            job={job.id}
            completed={job.counts.COMPLETED}
            isLive={isLive(job)}
            expected={detail !== null && detail.spec.outputs.length > 0}
          />
          {detail !== null && <Dependencies detail={detail} state={job.state} />}
          <section className={controls.panel} aria-label="Timeline">
            <div className={controls.panelHead}>
              <h2>Where it ran</h2>
            </div>
            <div className={controls.panelBody}>
              <Timeline pages={pages} isLive={isLive(job)} onSelect={select} />
            </div>
          </section>
        </div>
        <div className={css.column}>
          {task !== null && (
            <TaskPanel job={job.id} index={task} revision={job} onClose={() => go({ name: 'job', job: job.id, task: null })} />
          )}
          {detail !== null && <Specification detail={detail} />}
        </div>
      </div>
    </div>
  );
}

function useTaskPages(job: JobView): TaskPages {
  const client = useClient();
  const [pages, setPages] = useState(() => createTaskPages(client, job.id));
  useEffect(() => {
    const fresh = createTaskPages(client, job.id);
    setPages(fresh);
    return () => fresh.close();
  }, [client, job.id]);
  // Each change of the job is a new object.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the job itself says that something changed
  useEffect(() => pages.changed(), [pages, job]);
  return pages;
}

function PagesError({ pages }: { readonly pages: TaskPages }) {
  const error = useStore(pages.store, (state) => state.error);
  const isAway = useFarm((farm) => farm.link.state === 'lost');
  return error === null || isAway ? null : <ErrorNote error={error} />;
}

function Progress({ job }: { readonly job: JobView }) {
  const ended = endedCount(job.counts);
  const rest = restText(job, Date.now());
  const share = Math.floor((100 * ended) / job.taskCount);
  return (
    <section className={css.progress} aria-label="Progress">
      <div className={css.line}>
        <StateChip state={job.state} held={job.held} waits={job.canaryPhase === 'waiting'} />
        <span role="status">
          <strong>{share} %</strong> · {formatCount(ended)} of {plural(job.taskCount, 'task')} ended
          {job.retries > 0 && `, ${plural(job.retries, 'retry', 'retries')}`}
        </span>
        <span className={css.times}>
          {rest !== null && (
            <span
              title={job.eta === null ? undefined : `between ${formatFullTime(job.eta.earliest)} and ${formatFullTime(job.eta.latest)}`}
            >
              {rest} left
            </span>
          )}
          {job.startedAt !== null && (
            <span>
              {job.finishedAt === null ? 'running for ' : 'took '}
              {formatDuration((job.finishedAt ?? Date.now()) - job.startedAt)}
            </span>
          )}
        </span>
      </div>
      <div className={css.bar}>
        <CountsBar counts={job.counts} total={job.taskCount} label="Tasks ended" />
      </div>
      {job.reason !== null && <p className={css.soft}>{job.reason}</p>}
    </section>
  );
}

function Legend({ job }: { readonly job: JobView }) {
  return (
    <ul className={css.legend}>
      {Object.entries(STATE_LOOKS)
        .map(([state, { word, colour }]) => ({ state, word, colour, count: job.counts[state as keyof typeof STATE_LOOKS] }))
        .filter(({ count }) => count > 0)
        .map(({ state, word, colour, count }) => (
          <li key={state}>
            <i style={{ background: colour }} /> {formatCount(count)} {word.toLowerCase()}
          </li>
        ))}
    </ul>
  );
}

function Specification({ detail }: { readonly detail: JobDetail }) {
  const { spec } = detail;
  const command = typeof spec.command === 'string' ? spec.command : spec.command.map(quoted).join(' ');
  const needs = [
    `${plural(spec.requirements.cpu, 'core')}`,
    formatMemory(spec.requirements.ramMb),
    ...(spec.requirements.gpus > 0 ? [plural(spec.requirements.gpus, 'GPU')] : []),
    ...spec.requirements.labels,
  ];
  const facts = [
    ['Owner', detail.owner],
    ['Submitted', formatFullTime(detail.submittedAt)],
    ['Runs in', spec.image === null ? 'no container (host)' : (spec.image ?? 'the farm’s default image')],
    ['Each task needs', needs.join(', ')],
    ['Timeout', formatDuration(spec.timeoutMs)],
    ['Retries', String(spec.maxRetries)],
    ['Keeps', spec.outputs.length === 0 ? null : spec.outputs.join(', ')],
  ].filter((fact): fact is [string, string] => fact[1] !== null);
  return (
    <section className={controls.panel} aria-label="What was asked">
      <div className={controls.panelHead}>
        <h2>What was asked</h2>
      </div>
      <div className={css.spec}>
        <pre>{command}</pre>
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

/** As one would type it, so that arguments with spaces are seen as one. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./{}-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
