/** Tomorrow at eight in the morning, in the machine's own time zone; ms since 1970. */
export function tomorrowMorning(nowMs: number): number {
  const date = new Date(nowMs);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1, 8).getTime();
}
