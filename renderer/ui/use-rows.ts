import { type RefObject, useCallback, useLayoutEffect, useState } from 'react';
import { flushSync } from 'react-dom';

interface RowsOptions {
  readonly scroller: RefObject<HTMLElement | null>;
  readonly count: number;
  /** Of every row, in pixels. */
  readonly height: number;
  /** What stands above the first row in the scroller, in pixels. */
  readonly above: number;
}

export interface Rows {
  /** The rows that exist: from the first on, the last not included. */
  readonly first: number;
  readonly last: number;
  /** Scrolls as little as it takes to have a row in sight; it exists when this returns. */
  reveal(index: number): void;
}

/** Rows beyond the edges, so that a quick scroll shows no gap. */
const BEYOND = 6;

/**
 * Of rows that are all of one height, those that are in sight. Nothing is measured and nothing is kept of the others, so that a hundred thousand of
 * them cost what a screenful costs.
 */
export function useRows({ scroller, count, height, above }: RowsOptions): Rows {
  const [sight, setSight] = useState({ first: 0, last: 0 });
  const look = useCallback(() => {
    const element = scroller.current;
    if (element === null) return;
    const first = Math.max(0, Math.floor((element.scrollTop - above) / height) - BEYOND);
    const last = Math.ceil((element.scrollTop - above + element.clientHeight) / height) + BEYOND;
    setSight((before) => (before.first === first && before.last === last ? before : { first, last }));
  }, [scroller, height, above]);
  useLayoutEffect(() => {
    const element = scroller.current as HTMLElement;
    // At once: the rows that come into sight have to be there in the frame that shows them.
    const onScroll = () => flushSync(look);
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', onScroll, { passive: true });
    look();
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', onScroll);
    };
  }, [scroller, look]);
  const reveal = (index: number) => {
    const element = scroller.current;
    if (element === null) return;
    const top = above + index * height;
    if (top - above < element.scrollTop) element.scrollTop = top - above;
    else if (top + height > element.scrollTop + element.clientHeight) element.scrollTop = top + height - element.clientHeight;
    flushSync(look);
  };
  const last = Math.min(count, sight.last);
  return { first: Math.min(sight.first, last), last, reveal };
}
