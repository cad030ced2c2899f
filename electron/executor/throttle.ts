import { signalGroup } from './process-groups.ts';

/** How long one round of running and standing still takes; long enough to cost nothing, short enough that nobody sees it. */
const ROUND_MS = 400;

/** Holds a process group back as a whole. */
export interface Throttle {
  set(wish: { readonly frozen?: boolean; readonly share?: number }): void;
  /** It runs freely, and is left alone from now on. */
  release(): void;
}

/**
 * Systems without control groups for ordinary users have no limit of CPU that can be given and taken back (a lowered priority can
 * only be lowered further), so a group with a share is stopped for the rest of each round. Windows has no such signals: there this does
 * nothing.
 * @param isOver true when the group's number may be another's
 */
export function createThrottle(group: number, isOver: () => boolean): Throttle {
  let frozen = false;
  let share = 1;
  let runs = true;
  let released = false;
  let timer: NodeJS.Timeout | undefined;

  const move = (run: boolean) => {
    if (runs === run || isOver()) return;
    runs = run;
    signalGroup(group, run ? 'SIGCONT' : 'SIGSTOP');
  };
  const turn = () => {
    clearTimeout(timer);
    timer = undefined;
    if (frozen || share >= 1) {
      move(!frozen);
      return;
    }
    move(!runs);
    timer = setTimeout(turn, ROUND_MS * (runs ? share : 1 - share));
  };
  return {
    set(wish) {
      if (released || isOver()) return;
      frozen = wish.frozen ?? frozen;
      share = wish.share ?? share;
      turn();
    },
    release() {
      if (released) return;
      released = true;
      clearTimeout(timer);
      move(true);
    },
  };
}
