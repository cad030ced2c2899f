import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { SECURITY_HEADERS } from '../../../electron/api/guard.ts';
import { READ_CHUNK_BYTES } from '../../../electron/files/growing.ts';
import { encodeLog } from '../../../electron/files/log-records.ts';
import type { ViewEvent } from '../../../shared/view.ts';
import { serve } from '../programs.ts';
import { SimulatedFarm } from './simulated-farm.ts';

/**
 * A coordinator's screens over a farm that is made up: what a browser is shown is as large and as busy as asked, and costs this
 * process next to nothing. Only what the screens ask for while they are measured is there.
 */
const FOLDER = join(import.meta.dirname, '../../../out/renderer');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const FOLLOWED_LINES = 10_000;
const TICK_MS = 20;

export type ScreenQuestion =
  | { readonly type: 'open'; readonly jobs: number; readonly nodes: number; readonly logLines: number }
  /** From now on, until it is changed; one delta changes one job. */
  | { readonly type: 'rate'; readonly deltasPerSecond: number }
  /** Asks when the last line of the log that grows was sent. */
  | { readonly type: 'last-line' }
  /** This many deltas in batches of one frame, as fast as the browser takes them. */
  | { readonly type: 'burst'; readonly deltas: number; readonly perEvent: number };
export interface ScreenAnswer {
  readonly url: string;
  /** Wall-clock ms since 1970, by a clock finer than a millisecond; NaN before. */
  readonly lastLineAt: number;
}

const viewers = new Set<http.ServerResponse>();
let farm: SimulatedFarm;
let url = '';
let wholeLog = Buffer.alloc(0);
let lastLineAt = Number.NaN;
let ticker: NodeJS.Timeout | undefined;

serve<ScreenQuestion, ScreenAnswer>(async (question) => {
  if (question.type === 'open') {
    farm = new SimulatedFarm(question.jobs, question.nodes);
    wholeLog = makeLog(question.logLines);
    const server = http.createServer((request, response) => void answer(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  } else if (question.type === 'rate') {
    clearInterval(ticker);
    let owed = 0;
    let before = performance.now();
    if (question.deltasPerSecond > 0)
      ticker = setInterval(() => {
        const now = performance.now();
        owed += ((now - before) / 1_000) * question.deltasPerSecond;
        before = now;
        for (; owed >= 1; owed -= 1) void send(farm.delta(1));
      }, TICK_MS);
  } else if (question.type === 'burst') {
    for (let sent = 0; sent < question.deltas; sent += question.perEvent) await send(farm.delta(question.perEvent));
  }
  return { url, lastLineAt };
});

async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', url);
  if (pathname === '/api/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    viewers.add(response);
    response.on('close', () => viewers.delete(response));
    await write(response, eventText(farm.snapshot()));
  } else if (pathname === '/api/farm') json(response, farm.summary());
  else if (pathname.endsWith('/log')) await sendLog(response, pathname.includes('/attempts/2/'));
  else if (/^\/api\/jobs\/\d+\/tasks\/\d+$/.test(pathname)) json(response, farm.task());
  else if (pathname === '/api/limits') json(response, { limits: [] });
  else if (pathname === '/api/admissions') json(response, { admissions: [] });
  else if (pathname.startsWith('/api/')) response.writeHead(404).end('{}');
  else await file(response, pathname === '/' ? '/index.html' : pathname);
}

function json(response: http.ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

async function file(response: http.ServerResponse, path: string): Promise<void> {
  const bytes = await readFile(join(FOLDER, path)).catch(() => undefined);
  if (bytes === undefined) response.writeHead(404).end();
  else response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(bytes);
}

/** The first attempt's log is there as a whole; the second's comes with ten thousand lines a second for ten seconds. */
async function sendLog(response: http.ServerResponse, grows: boolean): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  if (!grows) {
    // In pieces as a coordinator reads them from its disk.
    for (let at = 0; at < wholeLog.length; at += READ_CHUNK_BYTES) await write(response, wholeLog.subarray(at, at + READ_CHUNK_BYTES));
    response.end();
    return;
  }
  let sent = 0;
  const begun = performance.now();
  const timer = setInterval(() => {
    const due = Math.min(10 * FOLLOWED_LINES, Math.floor(((performance.now() - begun) / 1_000) * FOLLOWED_LINES));
    const text = Array.from({ length: due - sent }, (_, index) => logLine(sent + index)).join('');
    sent = due;
    response.write(encodeLog('stdout', Date.now(), Buffer.from(text)));
    if (sent < 10 * FOLLOWED_LINES) return;
    clearInterval(timer);
    response.end();
    lastLineAt = performance.timeOrigin + performance.now();
  }, TICK_MS);
}

function makeLog(lines: number): Buffer<ArrayBuffer> {
  const text = (from: number) => Array.from({ length: 1_000 }, (_, index) => logLine(from + index)).join('');
  return Buffer.concat(
    Array.from({ length: lines / 1_000 }, (_, part) => encodeLog('stdout', Date.now(), Buffer.from(text(part * 1_000)))),
  );
}

function logLine(number: number): string {
  return `\x1b[32mframe ${number}\x1b[0m rendered a tile of 64 x 64 pixels, ${number % 97} ms, 0 errors\n`;
}

async function send(event: ViewEvent): Promise<void> {
  const text = eventText(event);
  await Promise.all([...viewers].map((viewer) => write(viewer, text)));
}

async function write(response: http.ServerResponse, bytes: string | Uint8Array): Promise<void> {
  if (response.write(bytes) || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
  });
}

function eventText(event: ViewEvent): string {
  return `id: ${event.cursor}\ndata: ${JSON.stringify(event)}\n\n`;
}
