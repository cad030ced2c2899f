import { memo, useLayoutEffect, useRef, useState } from 'react';
import { type AnsiPart, ansiParts } from './ansi.ts';
import { useFollowHand } from './follow-hand.ts';
import css from './LogView.module.css';
import type { LogFeed } from './log-feed.ts';

const LINE_PIXELS = 19;
/** Browsers stop at some height (Firefox near 17 million pixels); a longer log is scrolled in larger steps. */
const TALLEST_PIXELS = 12_000_000;
const OVERSCAN = 20;
/** Wrapped lines have heights of their own, so that only so many of the newest are laid out. */
const WRAPPED_LINES = 2_000;

interface LogViewProps {
  readonly feed: LogFeed;
  readonly count: number;
  readonly following: boolean;
  readonly onFollow: (following: boolean) => void;
  readonly timed: boolean;
  readonly wrapped: boolean;
  /** The line that the search is at. */
  readonly match: number | null;
  readonly words: string;
}

/** The lines in sight, of however many there are. Scrolling up pauses following; the end takes it up again. */
export function LogView(props: LogViewProps) {
  const { feed, count, following, onFollow, timed, wrapped, match, words } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 0 });
  const total = count * LINE_PIXELS;
  const height = wrapped ? total : Math.min(total, TALLEST_PIXELS);
  /** Pixels of log for one pixel of scroll. */
  const scale = wrapped || height <= view.height ? 1 : (total - view.height) / (height - view.height);
  const top = view.top * scale;
  const first = wrapped ? Math.max(0, count - WRAPPED_LINES) : Math.max(0, Math.floor(top / LINE_PIXELS) - OVERSCAN);
  const last = wrapped ? count : Math.min(count, Math.ceil((top + view.height) / LINE_PIXELS) + OVERSCAN);

  useLayoutEffect(() => {
    const element = scroller.current as HTMLDivElement;
    const observer = new ResizeObserver(() => setView({ top: element.scrollTop, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each new line moves the end
  useLayoutEffect(() => {
    const element = scroller.current as HTMLDivElement;
    if (following) element.scrollTop = element.scrollHeight;
  }, [following, count, view.height, wrapped]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another match is a reason to move
  useLayoutEffect(() => {
    const element = scroller.current as HTMLDivElement;
    if (match === null) return;
    if (wrapped) element.querySelector(`[data-line="${match}"]`)?.scrollIntoView({ block: 'center' });
    else element.scrollTop = (match * LINE_PIXELS - view.height / 2) / scale;
  }, [match]);

  const { scrolled, ...hand } = useFollowHand(onFollow);
  const onScroll = () => {
    const element = scroller.current as HTMLDivElement;
    setView({ top: element.scrollTop, height: element.clientHeight });
    scrolled(element);
  };
  const lines = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
  return (
    <div
      ref={scroller}
      className={css.log}
      data-wrapped={wrapped}
      role="log"
      aria-live="off"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
      aria-label="Log"
      onScroll={onScroll}
      {...hand}
    >
      <div className={css.body} style={wrapped ? undefined : { height }}>
        {/* In scroll pixels, so that the lines stand where the eye is whatever the scale. */}
        <div className={css.lines} style={wrapped ? undefined : { transform: `translateY(${first * LINE_PIXELS - top + view.top}px)` }}>
          {lines.map((position) => (
            <Line
              key={position}
              feed={feed}
              number={feed.lineNumber(position)}
              position={position}
              timed={timed}
              isMatch={position === match}
              words={words}
            />
          ))}
        </div>
      </div>
      {count === 0 && <p className={css.none}>Nothing was written yet.</p>}
    </div>
  );
}

interface LineProps {
  readonly feed: LogFeed;
  readonly number: number;
  readonly position: number;
  readonly timed: boolean;
  readonly isMatch: boolean;
  readonly words: string;
}

const Line = memo(function Line({ feed, number, position, timed, isMatch, words }: LineProps) {
  const line = feed.lines.line(number);
  return (
    <div className={css.line} data-line={position} data-stream={line.stream} data-match={isMatch}>
      <span className={css.number} aria-hidden>
        {number + 1}
      </span>
      {timed && <time className={css.time}>{new Date(line.time).toISOString().slice(11, 23)}</time>}
      {line.stream !== 'stdout' && <span className={css.stream}>{line.stream === 'stderr' ? 'err' : 'farm'}</span>}
      <span className={css.text}>
        {ansiParts(line.text).map((part, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a line never change
          <Part key={index} part={part} words={words} />
        ))}
      </span>
    </div>
  );
});

function Part({ part, words }: { readonly part: AnsiPart; readonly words: string }) {
  const style: React.CSSProperties = {
    ...(part.colour === null ? {} : { color: part.colour }),
    ...(part.ground === null ? {} : { background: part.ground }),
    ...(part.bold ? { fontWeight: 700 } : {}),
    ...(part.dim ? { opacity: 0.75 } : {}),
    ...(part.italic ? { fontStyle: 'italic' } : {}),
    ...(part.underline ? { textDecoration: 'underline' } : {}),
  };
  return <span style={style}>{words === '' ? part.text : marked(part.text, words)}</span>;
}

function marked(text: string, words: string): React.ReactNode {
  const lower = text.toLowerCase();
  const wanted = words.toLowerCase();
  const parts: React.ReactNode[] = [];
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  parts.push(text.slice(from));
  return parts;
}
