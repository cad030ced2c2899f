import { type KeyboardEvent, type PointerEvent, type TouchEvent, useRef, type WheelEvent } from 'react';
import { flushSync } from 'react-dom';

/** This near to the end counts as at the end. */
const END_PIXELS = 4;
const UPWARD_KEYS: readonly string[] = ['ArrowUp', 'PageUp', 'Home'];
const DOWNWARD_KEYS: readonly string[] = ['ArrowDown', 'PageDown', 'End'];

/**
 * What a person's hand does to a log that follows its end: moving up pauses, coming to the end goes on. The hand is what counts, never
 * where a scroll event finds the log: a line that arrives in the frame of the wheel puts the log back to its end before that event comes.
 * @returns the handlers of the element that scrolls
 */
export function useFollowHand(onFollow: (following: boolean) => void) {
  /** Whether the hand last moved towards the end; only then does reaching it mean that somebody wants to follow. */
  const isDownward = useRef(false);
  const touchAt = useRef(0);
  const holdsScrollbar = useRef(false);
  /** Where the end was when the hand, or what it moved, was last seen: lines that came since do not take the end away from under it. */
  const knownEnd = useRef(0);
  const hasReachedEnd = useRef(false);
  const pause = () => {
    isDownward.current = false;
    // At once: a line that is rendered before the pause would move the log again.
    flushSync(() => onFollow(false));
  };
  const goDown = (element: HTMLElement) => {
    isDownward.current = true;
    knownEnd.current = element.scrollHeight;
    if (isAtEnd(element)) onFollow(true);
  };
  const release = (element: HTMLElement) => {
    if (!holdsScrollbar.current) return;
    holdsScrollbar.current = false;
    if (hasReachedEnd.current) onFollow(true);
    else goDown(element);
  };
  return {
    onWheel(event: WheelEvent<HTMLElement>) {
      if (event.ctrlKey || event.deltaY === 0) return;
      if (event.deltaY < 0) pause();
      else goDown(event.currentTarget);
    },
    onKeyDown(event: KeyboardEvent<HTMLElement>) {
      if (UPWARD_KEYS.includes(event.key) || (event.key === ' ' && event.shiftKey)) pause();
      else if (event.key === 'End') onFollow(true);
      else if (DOWNWARD_KEYS.includes(event.key) || event.key === ' ') goDown(event.currentTarget);
    },
    onTouchStart(event: TouchEvent<HTMLElement>) {
      touchAt.current = event.touches[0]?.clientY ?? 0;
    },
    onTouchMove(event: TouchEvent<HTMLElement>) {
      const at = event.touches[0]?.clientY ?? 0;
      // A finger that goes down draws the log down with it, and so shows what stands above.
      if (at > touchAt.current) pause();
      else if (at < touchAt.current) goDown(event.currentTarget);
      touchAt.current = at;
    },
    onPointerDown(event: PointerEvent<HTMLElement>) {
      // A press on no line is one on the scrollbar; the middle button scrolls wherever the mouse then goes.
      holdsScrollbar.current = event.target === event.currentTarget && event.pointerType === 'mouse';
      hasReachedEnd.current = false;
      knownEnd.current = event.currentTarget.scrollHeight;
      if (holdsScrollbar.current || event.button === 1) pause();
    },
    onPointerMove(event: PointerEvent<HTMLElement>) {
      if (event.pointerType !== 'mouse') return;
      if (event.buttons === 0) release(event.currentTarget);
      // Text that is being chosen must not run away.
      else if (!holdsScrollbar.current) pause();
    },
    onPointerUp: (event: PointerEvent<HTMLElement>) => release(event.currentTarget),
    /** To be called when the element has scrolled. An upward move that is still on its way when the hand says End must not pause. */
    scrolled(element: HTMLElement) {
      hasReachedEnd.current = isAtEnd(element, Math.min(knownEnd.current, element.scrollHeight));
      knownEnd.current = element.scrollHeight;
      if (isDownward.current && hasReachedEnd.current) onFollow(true);
    },
  };
}

function isAtEnd({ scrollTop, clientHeight, scrollHeight }: HTMLElement, end = scrollHeight): boolean {
  return scrollTop + clientHeight >= end - END_PIXELS;
}
