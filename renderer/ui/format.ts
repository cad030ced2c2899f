/** Numbers and times as people read them. Everything here is in the reader's own time zone, and in English. */
const grouped = new Intl.NumberFormat('en');
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
/** Linux tells the CPU time of a process in these (USER_HZ is 100). */
const TICK_MS = 10;
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

export function formatCount(value: number): string {
  return grouped.format(value);
}

/** 12 B, 3.4 kB, 1.2 GB (decimal, as file managers say it). */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** @param mib as requirements and nodes count memory */
export function formatMemory(mib: number): string {
  return mib < 1_024 ? `${Math.round(mib)} MiB` : `${(mib / 1_024).toFixed(mib < 10_240 ? 1 : 0)} GiB`;
}

/** 340 ms, 4.2 s, 3 min 5 s, 2 h 10 min, 3 d 4 h */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** CPU time, which systems count in ticks: less than one of them is not none. */
export function formatCpuTime(ms: number): string {
  return ms < TICK_MS ? `under ${TICK_MS} ms` : formatDuration(ms);
}

/** The time of day; with the day when it is not today's. */
export function formatTime(ms: number, now = Date.now()): string {
  const isToday = new Date(ms).toDateString() === new Date(now).toDateString();
  return isToday ? clock.format(ms) : `${day.format(ms)} ${clock.format(ms)}`;
}

export function formatFullTime(ms: number): string {
  return full.format(ms);
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
