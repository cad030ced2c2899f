import { expect, test } from 'vitest';
import { parseSchedule, type Schedule } from '../../../shared/owner.ts';
import { hoursOf, ladderProblem, ladderSentence, scheduleProblem } from './owner-text.ts';

test('a ladder is said in a sentence, and what is none says what was expected', () => {
  expect(ladderSentence('slow 1m pause 10m return')).toBe(
    'Tasks run slower at once, are frozen after 1 min 0 s, go back to the queue after 11 min 0 s. No new ones come.',
  );
  expect(ladderSentence('ignore')).toBe('It does not matter to tasks.');
  expect(ladderSentence('stop')).toBeUndefined();
  expect(ladderProblem('stop')).toContain('"stop" is no step');
  expect(scheduleProblem('mo 25:00-26:00')).toContain('no day has');
});

test('a week is shown hour by hour, over midnight and from Sunday into Monday too', () => {
  const week = hoursOf(parseSchedule('fr 18:30-20:00, su 22:00-02:00') as Schedule);
  expect(week[4]?.slice(17, 21)).toEqual([0, 0.5, 1, 0]);
  expect(week[6]?.slice(21)).toEqual([0, 1, 1]);
  expect(week[0]?.slice(0, 3)).toEqual([1, 1, 0]);
  expect(
    hoursOf([])
      .flat()
      .every((share) => share === 1),
  ).toBe(true);
});
