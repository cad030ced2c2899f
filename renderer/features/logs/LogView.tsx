import { memo, useLayoutEffect, useRef, useState } from 'react';
import { type AnsiPart, ansiParts } from './ansi.ts';
import { useFollowHand } from './follow-hand.ts';
import css from './LogView.module.css';
import type { LogFeed } from './log-feed.ts';

const LINE_PIXELS = 19;
/** Browsers stop at some height (Firefox near 17 million pixels); a longer log is scrolled in larger steps. */
const TALLEST_PIXELS = 12_000_000;
/** Lines beyond what is in sight, so that a quick scroll shows no gap. */
const OVERSCAN = 12;
/** Further down than any log reaches. */
const END = 1e9;
/** Wrapped lines have heights of their own, so that only so many of the newest are laid out. */
const WRAPPED_LINES = 2_000;

interface LogViewProps {
  readonly feed: LogFeed;
  readonly count: number;
  /** No more lines come. */
  readonly ended: boolean;
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
  const { feed, count, ended, following, onFollow, timed, wrapped, match, words } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 0 });
  const total = count * LINE_PIXELS;
  const height = wrapped ? total : Math.min(total, TALLEST_PIXELS);
  // Who follows is shown the end, wherever the last scroll event found the log; once no more lines come, there is nothing to follow.
  const isPinned = following && !ended;
  const scrollTop = isPinned ? Math.max(0, height - view.height) : view.top;
  /** Pixels of log for one pixel of scroll. */
  const scale = wrapped || height <= view.height ? 1 : (total - view.height) / (height - view.height);
  const top = scrollTop * scale;
  const first = wrapped ? Math.max(0, count - WRAPPED_LINES) : Math.max(0, Math.floor(top / LINE_PIXELS) - OVERSCAN);
  const last = wrapped ? count : Math.min(count, Math.ceil((top + view.height) / LINE_PIXELS) + (isPinned ? 0 : OVERSCAN));

  useLayoutEffect(() => {
    const element = scroller.current as HTMLDivElement;
    const observer = new ResizeObserver(() => setView({ top: element.scrollTop, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each new line moves the end
  useLayoutEffect(() => {
    // More than there is: what there is would have to be measured first.
    if (following) (scroller.current as HTMLDivElement).scrollTop = END;
  }, [following, count, view.height, wrapped]);
  useLayoutEffect(() => {
    const element = scroller.current as HTMLDivElement;
    // Where it is when it pauses; while it follows nobody asks.
    if (!isPinned) setView({ top: element.scrollTop, height: element.clientHeight });
  }, [isPinned]);
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
    if (!isPinned) setView({ top: element.scrollTop, height: element.clientHeight });
    scrolled(element);
  };
  const keyOf = useLineKeys(first, last);
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
        <div className={css.lines} style={wrapped ? undefined : { transform: `translateY(${first * LINE_PIXELS - top + scrollTop}px)` }}>
          {lines.map((position) => (
            <Line
              key={keyOf(position)}
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

/**
 * Keys by which a line keeps its element while it is in sight. Where nothing stays in sight, as when ten thousand lines come in a second, the new
 * lines take the elements of those before them: to change a text costs a fraction of making its element.
 */
function useLineKeys(first: number, last: number): (position: number) => number {
  const shown = useRef({ first, last, shift: 0 });
  useLayoutEffect(() => {
    shown.current = { first, last, shift };
  });
  const before = shown.current;
  const isApart = first >= before.last || last <= before.first;
  const shift = before.shift + (isApart ? first - before.first : 0);
  return (position) => position - shift;
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
      {ansiParts(line.text).map((part, index) =>
        // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other name
        isPlain(part) && words === '' ? part.text : <Part key={index} part={part} words={words} />,
      )}
    </div>
  );
});

function isPlain({ colour, ground, bold, dim, italic, underline }: AnsiPart): boolean {
  return colour === null && ground === null && !bold && !dim && !italic && !underline;
}

function Part({ part, words }: { readonly part: AnsiPart; readonly words: string }) {
  const { colour, ground, bold, dim, italic, underline } = part;
  const style: React.CSSProperties = {};
  if (colour !== null) style.color = colour;
  if (ground !== null) style.background = ground;
  if (bold) style.fontWeight = 700;
  if (dim) style.opacity = 0.75;
  if (italic) style.fontStyle = 'italic';
  if (underline) style.textDecoration = 'underline';
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
