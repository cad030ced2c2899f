/** Durations and sizes as people write them, both ways. */

const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^\d+(?:\.\d+)?(?:ms|s|m|h|d)(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))*$/;
const SIZE_UNITS: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };
const SIZE = /^(\d+(?:\.\d+)?)\s*([bkmgt])?(?:i?b)?$/;

export const DURATION_FORM = 'a duration such as 90s, 30m or 1h30m';
export const SIZE_FORM = 'a size such as 512m or 2g';

/**
 * @param text `90s`, `30m`, `1h30m`; a plain number counts `plainUnitMs` each
 * @returns whole milliseconds, or undefined when it is no duration
 */
export function parseDurationMs(text: string, plainUnitMs: number): number | undefined {
  const trimmed = text.trim().toLowerCase();
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * plainUnitMs);
  if (!DURATION.test(trimmed)) return undefined;
  let total = 0;
  for (const [, figure, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(figure) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
  return Math.round(total);
}

/**
 * @param text `512m`, `2g`, `1.5GiB` (powers of 1024, whatever the spelling); a plain number counts `plainUnitBytes` each
 * @returns bytes, or undefined when it is no size
 */
export function parseSizeBytes(text: string, plainUnitBytes: number): number | undefined {
  const match = SIZE.exec(text.trim().toLowerCase());
  if (match === null) return undefined;
  return Number(match[1]) * (match[2] === undefined ? plainUnitBytes : (SIZE_UNITS[match[2]] as number));
}

export const MIB = 1024 ** 2;

/** For example `0.4 s`, `42 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.floor(minutes / 1_440)} d ${Math.floor((minutes % 1_440) / 60)} h`;
}

/** CPU time in the same words; what a table would round to nothing is not none. */
export function formatCpuTime(ms: number): string {
  return ms < 50 ? '< 0.1 s' : formatDuration(ms);
}

/** For example `17 B`, `1.2 KiB`, `340 MiB`. */
export function formatBytes(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < names.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${names[unit]}`;
}

/** A wall-clock time in ms since 1970, in the zone of this machine: `2026-01-31 14:05:09`. */
export function timeText(ms: number): string {
  const time = new Date(ms);
  return `${time.toLocaleDateString('sv')} ${time.toLocaleTimeString('sv')}`;
}
