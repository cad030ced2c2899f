import { type Ladder, parseLadder, parseSchedule, type Schedule, WEEK_MINUTES } from '../../../shared/owner.ts';
import { formatDuration } from '../../ui/format.ts';

const DID: Readonly<Record<Ladder[number]['level'], string>> = {
  slow: 'run slower',
  pause: 'are frozen',
  return: 'go back to the queue',
};

/** What a ladder does to the tasks that run, as a sentence; undefined for a text that is none. */
export function ladderSentence(text: string): string | undefined {
  const ladder = parseLadder(text);
  if (typeof ladder === 'string') return undefined;
  if (ladder.length === 0) return 'It does not matter to tasks.';
  const steps = ladder.map(({ level, afterMs }) => `${DID[level]} ${afterMs === 0 ? 'at once' : `after ${formatDuration(afterMs)}`}`);
  return `Tasks ${steps.join(', ')}. No new ones come.`;
}

/** What is wrong with a text of the owner's; undefined: nothing. */
export function ladderProblem(text: string): string | undefined {
  const ladder = parseLadder(text);
  return typeof ladder === 'string' ? ladder : undefined;
}

export function scheduleProblem(text: string): string | undefined {
  const schedule = parseSchedule(text);
  return typeof schedule === 'string' ? schedule : undefined;
}

const HOUR = 60;
export const WEEKDAYS = ['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su'] as const;

/** For each day of the week, which part of each of its 24 hours the machine is the farm's: 0 to 1. */
export function hoursOf(schedule: Schedule): number[][] {
  return WEEKDAYS.map((_, day) =>
    Array.from({ length: 24 }, (_, hour) => {
      if (schedule.length === 0) return 1;
      const begin = (day * 24 + hour) * HOUR;
      // What reaches past the end of Sunday goes on on Monday.
      const minutes = [0, WEEK_MINUTES].flatMap((shift) =>
        schedule.map(({ from, to }) => Math.max(0, Math.min(to, begin + shift + HOUR) - Math.max(from, begin + shift))),
      );
      return Math.min(1, minutes.reduce((sum, one) => sum + one, 0) / HOUR);
    }),
  );
}
