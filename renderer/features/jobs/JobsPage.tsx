import { History, LayoutList, SearchX, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { JobView } from '../../../shared/view.ts';
import { hrefOf } from '../../app/router.ts';
import { useClient } from '../../client/client.ts';
import { farmStore, useFarm, useMaySubmit } from '../../store/farm-store.ts';
import { controls, Empty, ErrorNote, Segmented } from '../../ui/controls.tsx';
import { formatCount, plural } from '../../ui/format.ts';
import page from '../../ui/page.module.css';
import { Limits } from '../farm/Limits.tsx';
import { JobActionButtons } from './JobActionButtons.tsx';
import css from './JobsPage.module.css';
import { JobTable } from './JobTable.tsx';
import { chooseJobs, chooseJobsInSlices, type JobGroup, type JobLookup } from './job-list.ts';
import { jobsView, selectJobs, useJobsView } from './jobs-view.ts';
import { hasOlder, lookAnew, olderJobs, readOlderJobs, useOlderJobs } from './older-jobs.ts';

const GROUPS: readonly { readonly value: JobGroup; readonly label: string }[] = [
  { value: 'all', label: 'All' },
  { value: 'active', label: 'Running' },
  { value: 'waiting', label: 'Waiting' },
  { value: 'failed', label: 'Failed' },
  { value: 'completed', label: 'Completed' },
];

/** The queue. */
export function JobsPage() {
  const ids = useChosenJobs();
  const known = useFarm((farm) => farm.jobIds.length);
  const isLoading = useFarm((farm) => farm.farm === null);
  const search = useJobsView((view) => view.search);
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Jobs</h1>
        <Groups />
        <input
          data-search
          type="search"
          className={`${controls.input} ${css.search}`}
          aria-label="Search jobs by name, owner or number"
          placeholder="Search  ( / )"
          value={search}
          onChange={(event) => jobsView.setState({ search: event.target.value })}
        />
      </header>
      <Limits />
      <Selection />
      {ids.length > 0 && <JobTable ids={ids} />}
      {ids.length === 0 && !isLoading && (known === 0 ? <NoJobs /> : <NothingFound />)}
      {known > 0 && <Older />}
      <p className="visually-hidden" role="status">
        {plural(ids.length, 'job')} shown
      </p>
    </div>
  );
}

/** The groups, with how many there are of those that are not over. Apart from the page: the numbers change with every frame. */
function Groups() {
  const show = useJobsView((view) => view.show);
  const totals = useFarm((farm) => farm.totals);
  const counts: Partial<Record<JobGroup, number>> =
    totals === null ? {} : { active: totals.jobs.RUNNING + totals.jobs.ASSIGNED, waiting: totals.jobs.QUEUED + totals.jobs.SUBMITTED };
  const options = GROUPS.map(({ value, label }) => ({ value, label: counts[value] ? `${label} ${formatCount(counts[value])}` : label }));
  return <Segmented label="Jobs to show" value={show} options={options} onChange={(value) => jobsView.setState({ show: value })} />;
}

/** Ended jobs that the stream carries. */
const RECENT_JOBS = 1_000;
/** At most this often is a long queue chosen and sorted again (ms), and never for more than this share of the time. */
const CHOOSE_MS = 400;
const CHOOSE_SHARE = 1 / 20;
/** Up to here, at every change. */
const SHORT = 2_000;

/** The ids to show; a long queue follows its changes a few times a second, so that scrolling keeps its frames. */
function useChosenJobs(): readonly number[] {
  const show = useJobsView((view) => view.show);
  const search = useJobsView((view) => view.search);
  const sort = useJobsView((view) => view.sort);
  const descending = useJobsView((view) => view.descending);
  const [ids, setIds] = useState<readonly number[]>(() => {
    const { jobs, jobIds } = allJobs();
    return chooseJobs(jobs, jobIds, { show, search, sort, descending });
  });
  useEffect(() => {
    let isOver = false;
    let hasChanged = false;
    let wake: (() => void) | undefined;
    const follow = async () => {
      while (!isOver) {
        hasChanged = false;
        const begun = performance.now();
        const { jobs, jobIds } = allJobs();
        const chosen = await chooseJobsInSlices(jobs, jobIds, { show, search, sort, descending }, () => isOver);
        if (chosen === null || isOver) return;
        setIds((before) => sameOr(before, chosen));
        const restMs = Math.max(CHOOSE_MS, (performance.now() - begun) / CHOOSE_SHARE);
        if (jobIds.length > SHORT) await new Promise((resolve) => setTimeout(resolve, restMs));
        if (!hasChanged && !isOver)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    };
    void follow();
    const look = () => {
      hasChanged = true;
      wake?.();
    };
    const stops = [farmStore.subscribe(look), olderJobs.subscribe(look)];
    return () => {
      isOver = true;
      wake?.();
      for (const stop of stops) stop();
    };
  }, [show, search, sort, descending]);
  return ids;
}

/** What the stream carries, and what was read besides. */
function allJobs(): { readonly jobs: JobLookup; readonly jobIds: readonly number[] } {
  const farm = farmStore.getState();
  const older = olderJobs.getState().jobs;
  if (older.size === 0) return farm;
  const beyond = [...older.keys()].filter((id) => !farm.jobs.has(id));
  return {
    jobs: {
      get: (id) => farm.jobs.get(id) ?? older.get(id),
      has: (id) => farm.jobs.has(id) || older.has(id),
      size: farm.jobs.size + older.size,
    },
    jobIds: [...farm.jobIds, ...beyond].sort((a, b) => b - a),
  };
}

function sameOr(before: readonly number[], now: readonly number[]): readonly number[] {
  return before.length === now.length && before.every((id, index) => id === now[index]) ? before : now;
}

function Selection() {
  const selected = useJobsView((view) => view.selected);
  // Read again with every change of the farm: a chosen job may end or go away.
  useFarm((farm) => (selected.size === 0 ? 0 : farm.revision));
  const maySubmit = useMaySubmit();
  if (selected.size === 0 || !maySubmit) return null;
  const { jobs } = allJobs();
  const chosen = [...selected].map((id) => jobs.get(id)).filter((job): job is JobView => job !== undefined);
  if (chosen.length === 0) return null;
  return (
    <section className={css.selection} aria-label="Chosen jobs">
      <strong>{formatCount(chosen.length)} chosen</strong>
      <JobActionButtons jobs={chosen} onDone={() => selectJobs([])} />
      <button type="button" className={controls.quiet} onClick={() => selectJobs([])}>
        <X aria-hidden /> Clear
      </button>
    </section>
  );
}

/** The way to jobs that ended long ago: the newest thousand are always in sight. */
function Older() {
  const client = useClient();
  const show = useJobsView((view) => view.show);
  const search = useJobsView((view) => view.search);
  const { isReading, isAll, error } = useOlderJobs((older) => older);
  const hasMany = useFarm((farm) => farm.jobIds.length >= RECENT_JOBS);
  // biome-ignore lint/correctness/useExhaustiveDependencies: something else is looked for when these change
  useEffect(() => lookAnew(), [show, search]);
  if (!hasOlder(show) || (!hasMany && search === '')) return null;
  return (
    <div className={css.older}>
      {error !== null && <ErrorNote error={error} />}
      <span role="status">{isAll ? 'There are no older jobs of these.' : ''}</span>
      {!isAll && (
        <button
          type="button"
          className={controls.button}
          disabled={isReading}
          onClick={() => void readOlderJobs(client, show, search.trim())}
        >
          <History aria-hidden /> {isReading ? 'Reading…' : search === '' ? 'Show older jobs' : 'Search older jobs by name'}
        </button>
      )}
    </div>
  );
}

function NoJobs() {
  const maySubmit = useMaySubmit();
  return (
    <Empty icon={<LayoutList aria-hidden />} title="No jobs yet">
      <p>
        A job is a folder of files and a command. It is split into tasks, which run on the farm’s machines; here you see how far they are.
        {maySubmit && ' Drop a zip or a folder anywhere on this window, or start from the form.'}
      </p>
      {maySubmit && (
        <a className={controls.primary} href={hrefOf({ name: 'submit' })}>
          Submit a job
        </a>
      )}
      <pre>lanyard submit --frames 1-24 -- sh render.sh {'{frame}'}</pre>
    </Empty>
  );
}

function NothingFound() {
  return (
    <Empty icon={<SearchX aria-hidden />} title="No job fits">
      <p>Jobs are found by number, name and owner, among those that are not over and the newest that are.</p>
      <button type="button" className={controls.button} onClick={() => jobsView.setState({ show: 'all', search: '' })}>
        Show all jobs
      </button>
    </Empty>
  );
}
