import { ArrowDown, ArrowUp } from 'lucide-react';
import { type KeyboardEvent, memo, useLayoutEffect, useRef } from 'react';
import { go, hrefOf } from '../../app/router.ts';
import { useJob, useMaySubmit } from '../../store/farm-store.ts';
import { usePreference } from '../../store/preferences.ts';
import { formatCount, formatFullTime, formatTime } from '../../ui/format.ts';
import { CountsBar, countsText, endedCount, StateChip } from '../../ui/state.tsx';
import { useRows } from '../../ui/use-rows.ts';
import { restText } from './estimate.ts';
import css from './JobTable.module.css';
import type { JobSort } from './job-list.ts';
import { jobsView, selectJobs, toggleJob, toggleSort, useJobsView } from './jobs-view.ts';
import { useOlderJobs } from './older-jobs.ts';

const COLUMNS: readonly { readonly title: string; readonly sort: JobSort | null; readonly right?: boolean }[] = [
  { title: 'Job', sort: 'id', right: true },
  { title: 'Name', sort: 'name' },
  { title: 'Owner', sort: 'owner' },
  { title: 'State', sort: 'state' },
  { title: 'Progress', sort: 'progress' },
  { title: 'Tasks', sort: null, right: true },
  { title: 'Left', sort: null, right: true },
  { title: 'Priority', sort: 'priority', right: true },
  { title: 'Started', sort: 'started', right: true },
];

/** Of the row of titles, in pixels. */
const HEAD_HEIGHT = 34;

/** The rows of the queue; only those in sight exist. */
export const JobTable = memo(function JobTable({ ids }: { readonly ids: readonly number[] }) {
  const scroller = useRef<HTMLDivElement>(null);
  const density = usePreference((preferences) => preferences.density);
  const rowHeight = density === 'compact' ? 28 : 38;
  const { first, last, reveal } = useRows({ scroller, count: ids.length, height: rowHeight, above: HEAD_HEIGHT });
  // What rows need of the list only when somebody chooses up to them; a new list is no reason to draw them again.
  const shown = useRef(ids);
  useLayoutEffect(() => {
    shown.current = ids;
  }, [ids]);
  const current = useJobsView((view) => view.current);
  const currentIndex = Math.max(0, current === null ? 0 : ids.indexOf(current));

  const moveTo = (index: number) => {
    const next = Math.min(ids.length - 1, Math.max(0, index));
    jobsView.setState({ current: ids[next] as number });
    reveal(next);
    scroller.current?.querySelector<HTMLElement>(`[data-job="${ids[next]}"]`)?.focus({ preventScroll: true });
  };
  const onKey = (event: KeyboardEvent) => {
    const page = Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2;
    const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const id = ids[currentIndex] as number;
    if (event.key in steps) moveTo(currentIndex + (steps[event.key] as number));
    else if (event.key === 'Home') moveTo(0);
    else if (event.key === 'End') moveTo(ids.length - 1);
    else if (event.key === ' ') toggleJob(id, event.shiftKey ? ids : undefined);
    else if (event.key === 'Enter' && !(event.target instanceof HTMLAnchorElement)) go({ name: 'job', job: id, task: null });
    else if ((event.ctrlKey || event.metaKey) && event.key === 'a') selectJobs(ids);
    else return;
    event.preventDefault();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a virtual list of rows cannot be a table element
    <div
      ref={scroller}
      className={css.table}
      role="grid"
      tabIndex={-1}
      aria-label="Jobs"
      aria-rowcount={ids.length + 1}
      aria-multiselectable="true"
      onKeyDown={onKey}
    >
      <HeadRow ids={ids} />
      {/* biome-ignore lint/a11y/useSemanticElements: see the grid */}
      <div role="rowgroup" className={css.body} style={{ height: ids.length * rowHeight }}>
        {ids.slice(first, last).map((id, at) => (
          <JobRow key={id} id={id} shown={shown} index={first + at} height={rowHeight} isCurrent={first + at === currentIndex} />
        ))}
      </div>
    </div>
  );
});

function HeadRow({ ids }: { readonly ids: readonly number[] }) {
  const sort = useJobsView((view) => view.sort);
  const descending = useJobsView((view) => view.descending);
  const selected = useJobsView((view) => view.selected);
  const maySubmit = useMaySubmit();
  const all = selected.size > 0 && ids.every((id) => selected.has(id));
  const Arrow = descending ? ArrowDown : ArrowUp;
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the buttons in it take the focus
    // biome-ignore lint/a11y/useSemanticElements: see the grid
    <div role="row" className={css.head} aria-rowindex={1}>
      {/* biome-ignore lint/a11y/useSemanticElements: see the grid */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: the box in it takes the focus */}
      <span role="columnheader" className={css.cell}>
        {maySubmit && (
          <input type="checkbox" aria-label="Choose all jobs shown" checked={all} onChange={() => selectJobs(all ? [] : ids)} />
        )}
      </span>
      {COLUMNS.map(({ title, sort: by, right }) => (
        // biome-ignore lint/a11y/useSemanticElements: see the grid
        // biome-ignore lint/a11y/useFocusableInteractive: the button in it takes the focus
        <span
          key={title}
          role="columnheader"
          className={css.cell}
          data-right={right}
          aria-sort={by === sort ? (descending ? 'descending' : 'ascending') : undefined}
        >
          {by === null ? (
            title
          ) : (
            <button type="button" onClick={() => toggleSort(by)}>
              {title} {by === sort && <Arrow aria-hidden />}
            </button>
          )}
        </span>
      ))}
    </div>
  );
}

interface RowProps {
  readonly id: number;
  readonly shown: { readonly current: readonly number[] };
  readonly index: number;
  readonly height: number;
  readonly isCurrent: boolean;
}

const JobRow = memo(function JobRow({ id, shown, index, height, isCurrent }: RowProps) {
  const older = useOlderJobs(({ jobs }) => jobs.get(id));
  const job = useJob(id) ?? older;
  const isSelected = useJobsView((view) => view.selected.has(id));
  const maySubmit = useMaySubmit();
  if (job === undefined) return null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: see the grid
    // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the grid
    <div
      role="row"
      data-job={id}
      className={css.row}
      tabIndex={isCurrent ? 0 : -1}
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      style={{ top: index * height, height }}
      onFocus={() => jobsView.setState({ current: id })}
      onClick={(event) => {
        if (event.target instanceof HTMLInputElement || event.target instanceof HTMLAnchorElement) return;
        if (event.shiftKey || event.ctrlKey || event.metaKey) toggleJob(id, event.shiftKey ? shown.current : undefined);
        else go({ name: 'job', job: id, task: null });
      }}
    >
      <Cell>
        {maySubmit && (
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label={`Choose job ${id}`}
            checked={isSelected}
            onChange={(event) => toggleJob(id, (event.nativeEvent as MouseEvent).shiftKey ? shown.current : undefined)}
          />
        )}
      </Cell>
      <Cell right>{id}</Cell>
      <Cell cut>
        <a className={css.name} tabIndex={-1} href={hrefOf({ name: 'job', job: id, task: null })} title={job.name}>
          {job.name}
        </a>
      </Cell>
      <Cell cut soft title={job.owner}>
        {job.owner}
      </Cell>
      <Cell>
        <StateChip state={job.state} held={job.held} waits={job.canaryPhase === 'waiting'} />
      </Cell>
      <Cell>
        <span className={css.bar} title={countsText(job.counts)}>
          <CountsBar counts={job.counts} total={job.taskCount} label={`Progress of job ${id}`} />
        </span>
      </Cell>
      <Cell right>
        {formatCount(endedCount(job.counts))}
        <span className={css.of}> / {formatCount(job.taskCount)}</span>
      </Cell>
      <Cell right soft>
        {restText(job, Date.now())}
      </Cell>
      <Cell right soft>
        {job.priority}
      </Cell>
      <Cell right soft title={job.startedAt === null ? undefined : formatFullTime(job.startedAt)}>
        {job.startedAt === null ? '' : formatTime(job.startedAt)}
      </Cell>
    </div>
  );
});

interface CellProps {
  /** Its text may be longer than its place. */
  readonly cut?: boolean;
  readonly right?: boolean;
  readonly soft?: boolean;
  readonly title?: string | undefined;
  readonly children: React.ReactNode;
}

function Cell({ cut, right, soft, title, children }: CellProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: see the grid
    // biome-ignore lint/a11y/useFocusableInteractive: the row takes the focus
    <span role="gridcell" className={css.cell} data-cut={cut} data-right={right} data-soft={soft} title={title}>
      {children}
    </span>
  );
}
