/**
 * What the owner of a machine may ask for, as settings hold it: hours, and for each reason to keep off a ladder of what happens to
 * the work that runs. Decided on in `electron/core/owner.ts`.
 */

/** Why work should keep off: outside the hours, somebody is at the machine, on battery, busy with other things, paused by hand. */
export const OWNER_CONDITIONS = ['schedule', 'active', 'battery', 'busy', 'paused'] as const;
export type OwnerCondition = (typeof OWNER_CONDITIONS)[number];

/** What happens to work that runs, from the mildest: a smaller share of the CPU, frozen, handed back to the queue. */
export const OWNER_LEVELS = ['run', 'slow', 'pause', 'return'] as const;
export type OwnerLevel = (typeof OWNER_LEVELS)[number];

/** From `afterMs` of the condition on, `level` holds. Empty: the condition does not count. */
export type Ladder = readonly { readonly level: Exclude<OwnerLevel, 'run'>; readonly afterMs: number }[];

/** Minutes of the week from Monday 00:00, the first included, the last not. Empty: always. */
export type Schedule = readonly { readonly from: number; readonly to: number }[];

const DAY_MINUTES = 24 * 60;
export const WEEK_MINUTES = 7 * DAY_MINUTES;
const DAYS = ['mo', 'tu', 'we', 'th', 'fr', 'sa', 'su'];
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * @param text levels from the mildest on, each but the last with how long it lasts: `slow 1m pause 10m return`; or `ignore`
 * @returns the ladder, or a sentence that says what is wrong
 */
export function parseLadder(text: string): Ladder | string {
  const words = text.trim().toLowerCase().split(/\s+/);
  if (words.length === 1 && words[0] === 'ignore') return [];
  const ladder: Ladder[number][] = [];
  let afterMs = 0;
  for (let at = 0; at < words.length; at += 2) {
    const level = OWNER_LEVELS.indexOf(words[at] as OwnerLevel);
    if (level < 1)
      return `"${words[at]}" is no step; expected ignore, or slow, pause and return with durations between, as in "slow 1m pause 10m return"`;
    const last = ladder.at(-1)?.level;
    if (last !== undefined && level <= OWNER_LEVELS.indexOf(last))
      return `"${words[at]}" comes after "${last}"; expected slow before pause before return`;
    ladder.push({ level: words[at] as Ladder[number]['level'], afterMs });
    const duration = words[at + 1];
    if (duration === undefined) break;
    const [, figure, unit = ''] = /^(\d{1,6})([smh])$/.exec(duration) ?? [];
    if (figure === undefined) return `"${duration}" is no duration; expected a form such as 30s, 10m or 2h`;
    if (words[at + 2] === undefined) return `nothing follows ${duration}; expected pause or return after it`;
    afterMs += Number(figure) * (UNITS[unit] as number);
  }
  return ladder;
}

/**
 * @param text days and hours, by the machine's own clock: `mo-fr 18:00-08:00, sa-su 00:00-24:00`; an end before its beginning is on the next day
 * @returns the schedule, or a sentence that says what is wrong
 */
export function parseSchedule(text: string): Schedule | string {
  const schedule: Schedule[number][] = [];
  for (const part of text.split(',').map((piece) => piece.trim().toLowerCase())) {
    if (part === '') continue;
    const match = /^([a-z]{2})[a-z]*(?:-([a-z]{2})[a-z]*)?\s+(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/.exec(part);
    const [first, last] = [DAYS.indexOf(match?.[1] ?? ''), DAYS.indexOf(match?.[2] ?? match?.[1] ?? '')];
    if (match === null || first < 0 || last < 0) return `"${part}" is no part of a schedule; expected a form such as mo-fr 18:00-08:00`;
    const [from, to] = [minuteOfDay(match[3], match[4]), minuteOfDay(match[5], match[6])];
    if (from === undefined || to === undefined || from === DAY_MINUTES)
      return `"${part}" has a time that no day has; expected 00:00 to 24:00`;
    if (from === to) return `"${part}" begins when it ends; expected 00:00-24:00 for the whole day`;
    for (let day = first; ; day = (day + 1) % 7) {
      schedule.push({ from: day * DAY_MINUTES + from, to: day * DAY_MINUTES + to + (to < from ? DAY_MINUTES : 0) });
      if (day === last) break;
    }
  }
  return schedule;
}

/** @param minute of the week, from Monday 00:00 */
export function isWithin(schedule: Schedule, minute: number): boolean {
  if (schedule.length === 0) return true;
  // What reaches past the end of Sunday goes on on Monday.
  return schedule.some(({ from, to }) => (minute >= from && minute < to) || minute + WEEK_MINUTES < to);
}

function minuteOfDay(hours: string | undefined, minutes: string | undefined): number | undefined {
  const minute = Number(hours) * 60 + Number(minutes);
  return Number(minutes) < 60 && minute <= DAY_MINUTES ? minute : undefined;
}
