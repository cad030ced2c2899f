import { describe, expect, test } from 'vitest';
import { isWithin, parseLadder, parseSchedule, type Schedule, WEEK_MINUTES } from './owner.ts';

function schedule(text: string): Schedule {
  const parsed = parseSchedule(text);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

/** Minutes of the week from Monday 00:00. */
const at = (day: number, hour: number, minute = 0) => (day * 24 + hour) * 60 + minute;

describe('a schedule', () => {
  test('nothing means always', () => {
    expect(isWithin(schedule(' '), 0)).toBe(true);
  });

  test('evenings and nights of working days, and the weekend', () => {
    const nights = schedule('mo-fr 18:00-08:00, Sat-Sun 0:00-24:00');
    const within = (day: number, hour: number, minute?: number) => isWithin(nights, at(day, hour, minute));
    expect([within(0, 17, 59), within(0, 18), within(1, 7, 59), within(1, 8)]).toEqual([false, true, true, false]);
    expect([within(4, 23), within(5, 0), within(6, 23, 59)]).toEqual([true, true, true]);
    // The night from Sunday to Monday is nobody's: Sunday ends at midnight.
    expect(within(0, 1)).toBe(false);
  });

  test('a night that reaches past the end of the week, and days that do', () => {
    expect(isWithin(schedule('su 22:00-06:00'), at(0, 5, 59))).toBe(true);
    expect(isWithin(schedule('su 22:00-06:00'), at(0, 6))).toBe(false);
    const wrapped = schedule('sa-mo 10:00-12:00');
    expect([4, 5, 6, 0, 1].map((day) => isWithin(wrapped, at(day, 11)))).toEqual([false, true, true, true, false]);
  });

  test('every minute of the week is either within or not, as often as it is written', () => {
    const hours = schedule('mo-su 09:00-17:00');
    const within = Array.from({ length: WEEK_MINUTES }, (_, minute) => isWithin(hours, minute)).filter(Boolean);
    expect(within).toHaveLength(7 * 8 * 60);
  });

  test.each([
    ['18:00-20:00', '"18:00-20:00" is no part of a schedule; expected a form such as mo-fr 18:00-08:00'],
    ['xx 18:00-20:00', 'is no part of a schedule'],
    ['mo 18:60-20:00', 'has a time that no day has'],
    ['mo 18:00-25:00', 'has a time that no day has'],
    ['mo 24:00-08:00', 'has a time that no day has'],
    ['mo 08:00-08:00', 'begins when it ends'],
  ])('%s is refused', (text, sentence) => {
    expect(parseSchedule(text)).toContain(sentence);
  });
});

describe('a ladder', () => {
  test('its steps begin when those before them have lasted', () => {
    expect(parseLadder('slow 30s Pause 10m return')).toEqual([
      { level: 'slow', afterMs: 0 },
      { level: 'pause', afterMs: 30_000 },
      { level: 'return', afterMs: 630_000 },
    ]);
    expect(parseLadder('return')).toEqual([{ level: 'return', afterMs: 0 }]);
    expect(parseLadder('ignore')).toEqual([]);
  });

  test.each([
    ['', '"" is no step'],
    ['stop', '"stop" is no step'],
    ['pause 1m slow', '"slow" comes after "pause"'],
    ['slow 1m slow', '"slow" comes after "slow"'],
    ['slow return', '"return" is no duration'],
    ['slow 5', '"5" is no duration'],
    ['slow 5m', 'nothing follows 5m'],
  ])('"%s" is refused', (text, sentence) => {
    expect(parseLadder(text)).toContain(sentence);
  });
});
