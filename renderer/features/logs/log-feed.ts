import { createStore, type StoreApi } from 'zustand/vanilla';
import type { ErrorValue } from '../../../shared/errors.ts';
import type { AttemptId } from '../../../shared/ids.ts';
import type { LanyardClient } from '../../../shared/lanyard-client.ts';
import type { LogStream } from '../../../shared/protocol.ts';
import { LogLines } from './log-lines.ts';

export type StreamWish = 'all' | LogStream;

interface FeedState {
  /** Lines in sight; grows at most once a frame. */
  readonly count: number;
  readonly ended: boolean;
  readonly error: ErrorValue | null;
}

/** The log of one attempt as it comes, and those of its lines that are wanted. */
export interface LogFeed {
  readonly store: StoreApi<FeedState>;
  readonly lines: LogLines;
  /** The number in the whole log of a line in sight. */
  lineNumber(position: number): number;
  choose(stream: StreamWish): void;
  close(): void;
}

export function openLogFeed(client: LanyardClient, attempt: AttemptId): LogFeed {
  const lines = new LogLines();
  const store = createStore<FeedState>(() => ({ count: 0, ended: false, error: null }));
  let wish: StreamWish = 'all';
  /** Numbers of the lines of the wanted stream; not kept while all are wanted. */
  let chosen: number[] = [];
  let looked = 0;
  let frame = 0;

  const count = () => {
    if (wish === 'all') return lines.count;
    for (; looked < lines.count; looked += 1) if (lines.line(looked).stream === wish) chosen.push(looked);
    return chosen.length;
  };
  const show = () => {
    frame = 0;
    store.setState({ count: count() });
  };
  const stop = client.followLog(attempt, {
    records(records) {
      lines.push(records);
      frame ||= requestAnimationFrame(show);
    },
    ended(error) {
      lines.finish();
      store.setState({ count: count(), ended: true, error });
    },
  });
  return {
    store,
    lines,
    lineNumber: (position) => (wish === 'all' ? position : (chosen[position] as number)),
    choose(stream) {
      wish = stream;
      chosen = [];
      looked = 0;
      show();
    },
    close() {
      stop();
      cancelAnimationFrame(frame);
    },
  };
}
