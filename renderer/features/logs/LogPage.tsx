import { ArrowDownToLine, ChevronDown, ChevronUp, Clock, Copy, Download, WrapText } from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { type AttemptId, type AttemptKey, parseAttemptId } from '../../../shared/ids.ts';
import { hrefOf } from '../../app/router.ts';
import { useClient } from '../../client/client.ts';
import { offerDownload } from '../../client/http-client.ts';
import { useJob, useNodeName } from '../../store/farm-store.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { controls, ErrorNote, Segmented } from '../../ui/controls.tsx';
import { formatCount, plural } from '../../ui/format.ts';
import page from '../../ui/page.module.css';
import { StateChip } from '../../ui/state.tsx';
import { plainText } from './ansi.ts';
import css from './LogPage.module.css';
import { LogView } from './LogView.tsx';
import { type LogFeed, openLogFeed, type StreamWish } from './log-feed.ts';

const STREAMS: readonly { readonly value: StreamWish; readonly label: string }[] = [
  { value: 'all', label: 'All' },
  { value: 'stdout', label: 'stdout' },
  { value: 'stderr', label: 'stderr' },
  { value: 'system', label: 'Lanyard' },
];
/** More matches than this are not counted out. */
const MATCHES = 10_000;

/** The log of one attempt. */
export function LogPage({ attempt }: { readonly attempt: string }) {
  const client = useClient();
  const [feed, setFeed] = useState<LogFeed | null>(null);
  useEffect(() => {
    const opened = openLogFeed(client, attempt as AttemptId);
    setFeed(opened);
    return () => opened.close();
  }, [client, attempt]);
  return (
    <div className={page.page}>
      <LogHead attempt={attempt} />
      {feed !== null && <LogBody feed={feed} attempt={attempt} />}
    </div>
  );
}

function LogHead({ attempt }: { readonly attempt: string }) {
  const key = parseAttemptId(attempt) as AttemptKey;
  const job = useJob(key.job);
  // The log itself says what is wrong, if anything is.
  const { answer } = useAnswer((farm) => farm.call('getTask', { params: { job: key.job, index: key.index } }), [attempt], [job]);
  const attempts = answer?.attempts ?? [];
  const shown = attempts.find((one) => one.id === attempt);
  const node = useNodeName(shown?.node ?? null);
  return (
    <header className={page.head}>
      <div className={page.title}>
        <a className={page.crumb} href={hrefOf({ name: 'job', job: key.job, task: null })}>
          {job?.name ?? `Job ${key.job}`}
        </a>
        <a className={page.crumb} href={hrefOf({ name: 'job', job: key.job, task: key.index })}>
          Task {key.index}
        </a>
        <h1>Log</h1>
        {shown !== undefined && <StateChip state={shown.state} />}
        {shown !== undefined && <span className={page.crumb}>on {node}</span>}
      </div>
      {attempts.length > 1 && (
        <nav className={page.actions} aria-label="Attempts">
          {attempts.map((one) => (
            <a
              key={one.id}
              className={controls.quiet}
              aria-current={one.id === attempt ? 'page' : undefined}
              href={hrefOf({ name: 'log', attempt: one.id })}
            >
              Attempt {one.number}
            </a>
          ))}
        </nav>
      )}
    </header>
  );
}

function LogBody({ feed, attempt }: { readonly feed: LogFeed; readonly attempt: string }) {
  const { count, ended, error } = useStore(feed.store);
  const [stream, setStream] = useState<StreamWish>('all');
  const [words, setWords] = useState('');
  const [at, setAt] = useState(0);
  const [following, setFollowing] = useState(true);
  const [wrapped, setWrapped] = useState(false);
  const [timed, setTimed] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  // A log that grows is searched again a few times a second, not at every line.
  const step = ended ? count : Math.floor(count / 2_000);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `step` stands for the lines that are there
  const matches = useMemo(() => findMatches(feed, words, stream), [feed, words, stream, step]);
  const match = matches[at % Math.max(1, matches.length)] ?? null;
  const moveBy = (by: number) => {
    if (matches.length === 0) return;
    setFollowing(false);
    setAt((before) => (before + by + matches.length) % matches.length);
  };
  const text = () => Array.from({ length: count }, (_, position) => plainText(feed.lines.line(feed.lineNumber(position)).text)).join('\n');
  return (
    <>
      <div className={css.bar}>
        <Segmented
          label="Streams to show"
          value={stream}
          options={STREAMS}
          onChange={(next) => {
            setStream(next);
            feed.choose(next);
          }}
        />
        <input
          ref={search}
          data-search
          type="search"
          className={`${controls.input} ${css.search}`}
          aria-label="Search in the log"
          placeholder="Search  ( / )"
          value={words}
          onChange={(event) => {
            setWords(event.target.value);
            setAt(0);
            setFollowing(event.target.value === '' && following);
          }}
          onKeyDown={(event) => event.key === 'Enter' && moveBy(event.shiftKey ? -1 : 1)}
        />
        {words !== '' && (
          <span className={css.matches} role="status">
            {matches.length === 0
              ? 'no match'
              : `${(at % matches.length) + 1} of ${formatCount(matches.length)}${matches.length === MATCHES ? '+' : ''}`}
            <button
              type="button"
              className={`${controls.quiet} ${controls.iconOnly}`}
              aria-label="Previous match"
              onClick={() => moveBy(-1)}
            >
              <ChevronUp aria-hidden />
            </button>
            <button type="button" className={`${controls.quiet} ${controls.iconOnly}`} aria-label="Next match" onClick={() => moveBy(1)}>
              <ChevronDown aria-hidden />
            </button>
          </span>
        )}
        <span className={css.push} />
        <button type="button" className={controls.quiet} aria-pressed={timed} onClick={() => setTimed(!timed)}>
          <Clock aria-hidden /> Times
        </button>
        <button type="button" className={controls.quiet} aria-pressed={wrapped} onClick={() => setWrapped(!wrapped)}>
          <WrapText aria-hidden /> Wrap
        </button>
        <button
          type="button"
          className={controls.quiet}
          onClick={() =>
            copyText(text()).then(
              () => toastDone(`Copied ${plural(count, 'line')}`),
              (cause: unknown) => toastError('Copy', cause),
            )
          }
        >
          <Copy aria-hidden /> Copy
        </button>
        <button
          type="button"
          className={controls.quiet}
          onClick={() => offerDownload(new Blob([text(), '\n'], { type: 'text/plain' }), `${attempt}.log`)}
        >
          <Download aria-hidden /> Download
        </button>
        {!ended && (
          <button type="button" className={controls.quiet} aria-pressed={following} onClick={() => setFollowing(!following)}>
            <ArrowDownToLine aria-hidden /> Follow
          </button>
        )}
      </div>
      {error !== null && <ErrorNote error={error} />}
      <LogView
        key={wrapped ? 'wrapped' : stream}
        feed={feed}
        count={count}
        ended={ended}
        following={following}
        onFollow={setFollowing}
        timed={timed}
        wrapped={wrapped}
        match={match}
        words={words}
      />
      <p className={css.foot} role="status">
        {plural(count, 'line')}
        {ended ? ' · the log is complete' : following ? ' · following' : ' · paused; press End to follow'}
      </p>
    </>
  );
}

/** Positions in sight of the lines that hold the words. */
function findMatches(feed: LogFeed, words: string, stream: StreamWish): readonly number[] {
  if (words === '') return [];
  const found = feed.lines.find(words, MATCHES);
  if (stream === 'all') return found;
  const numbers = new Set(found);
  const positions: number[] = [];
  for (let position = 0; position < feed.store.getState().count; position += 1)
    if (numbers.has(feed.lineNumber(position))) positions.push(position);
  return positions;
}

/** A page of the local network is no secure context, and has the clipboard only by way of a selection. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (!copied) throw new Error('The browser does not allow it. Use Download instead.');
}
