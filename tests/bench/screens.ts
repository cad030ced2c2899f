import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type CDPSession, chromium, type Page } from '@playwright/test';
import { type Bench, type Row, valueRow } from './bench.ts';
import type { ScreenAnswer, ScreenQuestion } from './programs/screen-farm.ts';
import { type Program, startProgram } from './programs.ts';
import { percentile } from './statistics.ts';

const FARM = { jobs: 100_000, nodes: 1_000, logLines: 1_000_000 } as const;
const DELTAS_PER_SECOND = 200;
/** Simulated time passes this much faster, on the clock of the page too, so that an hour of a farm takes two minutes. */
const SPEED = 30;

/** A frame of 60 Hz, and what the browser's clock rounds by. */
const FRAME_MS = 16.9;

type Farm = Program<ScreenQuestion, ScreenAnswer>;

/**
 * The screens in a real Chromium, in front of a farm that is made up: frames while one scrolls and types, logs, and memory.
 * A frame's work is the processor time of the page's main thread between two frames, from a trace; its interval is when they come, and
 * depends on what else the machine does.
 */
export const screens: Bench = {
  name: 'screens',
  async run({ quick }) {
    if (!existsSync(join(import.meta.dirname, '../../out/renderer/index.html')))
      throw new Error('The screens are not built: npm run build');
    const farm: Farm = startProgram(new URL('./programs/screen-farm.ts', import.meta.url), {});
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--js-flags=--expose-gc'],
    });
    try {
      const { url } = await farm.ask({ type: 'open', ...FARM });
      return [
        ...(await frames(browser, farm, url, quick)),
        ...(await logs(browser, farm, url, quick)),
        ...(await memory(browser, farm, url, quick)),
      ];
    } finally {
      await browser.close();
      await farm.end();
    }
  },
};

async function frames(browser: Browser, farm: Farm, url: string, quick: boolean): Promise<Row[]> {
  const { page, session } = await open(browser, url);
  await farm.ask({ type: 'rate', deltasPerSecond: DELTAS_PER_SECOND });
  const seconds = quick ? 4 : 12;
  const scrolled = await measured(page, session, async () => {
    await page.getByRole('grid', { name: 'Jobs' }).hover();
    await repeated(seconds, 16, () => page.mouse.wheel(0, 120));
  });
  const search = page.getByLabel('Search jobs by name, owner or number');
  const typed = await measured(page, session, async () => {
    await search.focus();
    const words = 'shot_042 ines ';
    let at = 0;
    await repeated(seconds, 120, () =>
      at % 29 < 14
        ? page.keyboard.press(words[at++ % 14] === ' ' ? 'Space' : (words[(at - 1) % 14] as string))
        : page.keyboard.press('Backspace').then(() => void at++),
    );
  });
  await search.fill('');
  await page.goto(`${url}/#/farm`);
  const mapped = await measured(page, session, async () => {
    await page.getByRole('region', { name: 'Map of the farm' }).hover();
    await repeated(seconds, 16, () => page.mouse.wheel(0, 40));
  });
  await farm.ask({ type: 'rate', deltasPerSecond: 0 });
  await page.context().close();
  const rows = (what: string, { work, intervals }: Measured) => [
    valueRow(`frame while ${what}, work, p95`, 'ms', percentile(work, 0.95), { most: 16.7 }),
    valueRow(`frame while ${what}, interval, p95`, 'ms', percentile(intervals, 0.95), { most: FRAME_MS }),
  ];
  return [...rows('scrolling 100,000 jobs', scrolled), ...rows('typing a search', typed), ...rows('zooming a map of 1,000 nodes', mapped)];
}

async function logs(browser: Browser, farm: Farm, url: string, quick: boolean): Promise<Row[]> {
  const { page, session } = await open(browser, url);
  const opened: number[] = [];
  for (let round = 0; round < (quick ? 2 : 5); round += 1) {
    await page.goto(`${url}/#/jobs`);
    await page.getByRole('grid', { name: 'Jobs' }).waitFor();
    const begun = performance.now();
    await page.goto(`${url}/#/logs/1.0.1`);
    await page.getByText('1,000,000 lines · the log is complete').waitFor();
    opened.push(performance.now() - begun);
  }
  await page.goto(`${url}/#/jobs`);
  let behind = Number.NaN;
  const followed = await measured(page, session, async () => {
    await page.goto(`${url}/#/logs/1.0.2`);
    const shownAt = await page.evaluate<number>(WHEN_COMPLETE);
    // The log begins to grow when the page asks for it: the way there is no part of how far it is behind.
    behind = shownAt - (await farm.ask({ type: 'last-line' })).lastLineAt;
  });
  await page.context().close();
  return [
    valueRow('a log of 1,000,000 lines opens whole, median', 'ms', percentile(opened, 0.5), { most: 1_000 }),
    valueRow('10,000 lines/s followed for 10 s, behind at the end', 'ms', behind, { most: 250 }),
    valueRow('frame while following, work, p95', 'ms', percentile(followed.work, 0.95), { most: 16.7 }),
  ];
}

async function memory(browser: Browser, farm: Farm, url: string, quick: boolean): Promise<Row[]> {
  const { page, session } = await open(browser, url, SPEED);
  const minutes = quick ? 10 : 60;
  const minute = DELTAS_PER_SECOND * 60;
  const used: number[] = [];
  // As many changes as a farm makes in that time, ten to an event; the page is given its frames between.
  for (let passed = 0; passed < minutes; passed += 5) {
    await farm.ask({ type: 'burst', deltas: minute * 5, perEvent: 20 });
    await page.waitForTimeout((5 * 60_000) / SPEED / 4);
    await session.send('HeapProfiler.collectGarbage');
    const { metrics } = await session.send('Performance.getMetrics');
    used.push((metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? Number.NaN) / 2 ** 20);
  }
  await page.context().close();
  // The first five minutes fill what is kept of each node.
  const [first] = used;
  return [
    valueRow(`memory of the page after ${minutes} simulated minutes`, 'MiB', used.at(-1) as number, null),
    valueRow('its growth since the fifth minute', 'MiB', (used.at(-1) as number) - (first as number), { most: 10 }),
  ];
}

async function open(browser: Browser, url: string, speed = 1): Promise<{ page: Page; session: CDPSession }> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 800 } });
  const page = await context.newPage();
  await page.addInitScript((factor) => {
    const now = Date.now.bind(Date);
    const begun = now();
    Date.now = () => begun + (now() - begun) * factor;
  }, speed);
  await page.goto(`${url}/#token=lyd_simulated_farm`);
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByRole('grid', { name: 'Jobs' }).waitFor();
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable');
  return { page, session };
}

interface Measured {
  /** Of the main thread between two frames, ms. */
  readonly work: readonly number[];
  /** Between two frames, ms. */
  readonly intervals: readonly number[];
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly ts: number;
  /** On the thread's own clock: what other programs take of the machine is not in it. */
  readonly tdur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly args?: { readonly name?: string };
}

/** Runs in the page: the wall-clock time of the frame that says so. Whoever asks from outside asks twice a second. */
const WHEN_COMPLETE = `new Promise((resolve) => {
  const look = () => {
    const says = [...document.querySelectorAll('[role=status]')].some(({ textContent }) => textContent === '100,000 lines · the log is complete');
    if (says) resolve(performance.timeOrigin + performance.now());
    else requestAnimationFrame(look);
  };
  look();
})`;

/** Runs in the page: the times of its frames, until it is told that it is over. */
const COUNT_FRAMES = `new Promise((resolve) => {
  const times = [];
  delete document.documentElement.dataset.measured;
  const tick = (time) => {
    times.push(time);
    if (document.documentElement.dataset.measured === 'over') resolve(times);
    else requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
})`;

/** Traces the page while something is done to it. */
async function measured(page: Page, session: CDPSession, act: () => Promise<void>): Promise<Measured> {
  const events: TraceEvent[] = [];
  const collect = ({ value }: { value: object[] }) => void events.push(...(value as TraceEvent[]));
  session.on('Tracing.dataCollected', collect);
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: ['toplevel', 'devtools.timeline', 'disabled-by-default-devtools.timeline.frame', '__metadata'] },
  });
  const running = page.evaluate<number[]>(COUNT_FRAMES);
  await act();
  await page.evaluate("document.documentElement.dataset.measured = 'over'");
  const times = await running;
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  session.off('Tracing.dataCollected', collect);
  return { work: workOf(events), intervals: times.slice(1).map((time, index) => time - (times[index] as number)) };
}

/** Adds up the tasks of the page's main thread between the frames that it drew. */
function workOf(events: readonly TraceEvent[]): number[] {
  const frames = events.filter(({ name }) => name === 'FireAnimationFrame').sort((a, b) => a.ts - b.ts);
  const main = frames[0];
  if (main === undefined) throw new Error('the trace has no frames');
  const tasks = events
    .filter(({ name, ph, pid, tid }) => name.endsWith('RunTask') && ph === 'X' && pid === main.pid && tid === main.tid)
    .sort((a, b) => a.ts - b.ts);
  const work: number[] = [];
  let at = 0;
  let frameAt = main.ts;
  for (const frame of frames.slice(1)) {
    // Two callbacks of one frame.
    if (frame.ts - frameAt < 4_000) continue;
    let sum = 0;
    for (; at < tasks.length && (tasks[at] as TraceEvent).ts < frame.ts; at += 1) sum += (tasks[at] as TraceEvent).tdur ?? 0;
    work.push(sum / 1_000);
    frameAt = frame.ts;
  }
  return work.slice(1);
}

/** Does something every `everyMs` for so many seconds. */
async function repeated(seconds: number, everyMs: number, act: () => Promise<unknown>): Promise<void> {
  const until = performance.now() + seconds * 1_000;
  for (let next = performance.now(); next < until; ) {
    await act();
    next += everyMs;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
  }
}
