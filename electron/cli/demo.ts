import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { contactSheet, decodePng, encodePng } from '../../resources/examples/path-tracer/png.mjs';
import { LanyardError } from '../../shared/errors.ts';
import { JOB_FILE, type JobSpecInput, jobSpecSchema } from '../../shared/job.ts';
import { type Client, createClient } from '../api/client.ts';
import type { Context, Handler } from './context.ts';
import { chooseExecution } from './demo-engine.ts';
import { type DemoFarm, makeFolder, startDemoFarm } from './demo-farm.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { createLogPrinter } from './log-command.ts';
import { followLogs } from './log-follow.ts';
import { type SavedOutput, saveOutputs } from './output-command.ts';
import { formatDuration } from './units.ts';
import { uploadFolder } from './upload.ts';
import { reportEnd, waitForJob } from './wait.ts';

const EXAMPLE = join(import.meta.dirname, '../../resources/examples/path-tracer');
/** Far more than it takes; a demo that hangs should still end. */
const LIMIT_MS = 600_000;

export interface DemoOptions {
  readonly out: string;
  readonly frames: string;
  readonly size: string;
  readonly samples: string;
}

/** Starts a farm of three processes, renders the example animation on it, saves it, and leaves nothing behind but the pictures. */
export const demo: Handler<DemoOptions> = async (context, _operands, options) => {
  const beganAt = performance.now();
  const spec = await demoSpec(options);
  const execution = await chooseExecution(context.env);
  const given = context.options.data;
  const dataFolder = given === undefined ? await mkdtemp(join(tmpdir(), 'lanyard-demo-')) : await makeFolder(resolve(context.cwd, given));
  const { terminal } = context;
  let farm: DemoFarm | undefined;
  try {
    terminal.note('starting a coordinator and two workers on this machine ...');
    farm = await startDemoFarm({ dataFolder, containers: execution.image !== null, env: context.env, signal: context.signal });
    terminal.note(`the farm is up at ${farm.url}; tasks run ${execution.why}`);
    const client = createClient(farm);
    const work = renderAndSave(context, client, { ...spec, image: execution.image }, resolve(context.cwd, options.out));
    const code = await Promise.race([work, farm.broken]);
    terminal.note(`the whole demo took ${formatDuration(performance.now() - beganAt)}`);
    return code;
  } finally {
    await farm?.close();
    if (given === undefined) await rm(dataFolder, { recursive: true, force: true, maxRetries: 5 });
  }
};

async function renderAndSave(context: Context, client: Client, spec: JobSpecInput, out: string): Promise<ExitCode> {
  const { terminal } = context;
  const input = await uploadFolder(context, client, EXAMPLE);
  const job = await client.call('submitJob', { body: { ...spec, input }, signal: context.signal });
  terminal.note(`job ${job.id} is submitted: ${job.taskCount} frames, one task each`);
  const printer = createLogPrinter(toStderr(context), { many: true, raw: false });
  const target = { job: job.id, index: undefined, number: undefined };
  const [ended] = await Promise.all([
    waitForJob(context, client, job.id, LIMIT_MS),
    followLogs(client, target, printer.print, AbortSignal.any([context.signal, AbortSignal.timeout(LIMIT_MS)])),
  ]);
  await printer.end();
  if (ended === undefined) return EXIT.timedOut;
  const code = await reportEnd(context, client, ended);
  if (code !== EXIT.ok) return code;
  const saved = await saveOutputs(context, client, job.id, out);
  const sheet = await saveContactSheet(saved, out);
  const workers = await summary(client, job.id);
  if (context.options.json === true)
    terminal.json({ job: ended, workers, frames: saved.map((output) => output.savedAs), contactSheet: sheet });
  else {
    terminal.table(
      [
        { title: 'WORKER' },
        { title: 'FRAMES', align: 'right' },
        { title: 'RENDERED FOR', align: 'right' },
        { title: 'A FRAME', align: 'right' },
      ],
      workers.map(({ name, frames, ranForMs }) => [name, String(frames), formatDuration(ranForMs), formatDuration(ranForMs / frames)]),
    );
    terminal.line(`${saved.length} frames: ${join(out, 'frames')}`);
    terminal.line(`contact sheet: ${sheet}`);
  }
  return EXIT.ok;
}

/** The example's own description with what the command line changes. */
async function demoSpec(options: DemoOptions): Promise<JobSpecInput> {
  if (!/^\d{1,4}x\d{1,4}$/.test(options.size)) throw notValid('size', options.size, 'WIDTHxHEIGHT in pixels, such as 320x180');
  if (!/^\d{1,5}$/.test(options.samples)) throw notValid('samples', options.samples, 'a whole number');
  const description = jobSpecSchema.parse(JSON.parse(await readFile(join(EXAMPLE, JOB_FILE), 'utf8')));
  const command = [...description.command];
  command[command.indexOf('--size') + 1] = options.size;
  command[command.indexOf('--samples') + 1] = options.samples;
  return { ...description, command, tasks: { kind: 'frames', frames: options.frames } };
}

async function saveContactSheet(frames: readonly SavedOutput[], out: string): Promise<string> {
  const inOrder = frames.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const images = await Promise.all(inOrder.map(async (frame) => decodePng(await readFile(frame.savedAs))));
  const path = join(out, 'contact-sheet.png');
  await writeFile(path, encodePng(contactSheet(images, columnsFor(images.length))));
  return path;
}

/** A few more columns than rows, without holes where that can be. */
export function columnsFor(count: number): number {
  const least = Math.ceil(Math.sqrt(count));
  for (let columns = least; columns <= least * 2; columns++) if (count % columns === 0) return columns;
  return least;
}

/** Who rendered how many frames, and for how long. */
async function summary(client: Client, job: number): Promise<{ name: string; frames: number; ranForMs: number }[]> {
  const { tasks } = await client.call('listTasks', { params: { job }, query: { limit: 1_000 } });
  const { nodes } = await client.call('listNodes');
  return nodes
    .map(({ description: { id, name } }) => {
      const own = tasks.filter((task) => task.node === id);
      const ranForMs = own.reduce((sum, task) => sum + ((task.finishedAt ?? 0) - (task.startedAt ?? task.finishedAt ?? 0)), 0);
      return { name, frames: own.length, ranForMs };
    })
    .filter((worker) => worker.frames > 0)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The frames' own log is not the demo's result. */
function toStderr(context: Context): Context {
  return {
    ...context,
    options: {},
    terminal: { ...context.terminal, colours: false, write: async (text) => context.terminal.note(String(text).trimEnd()) },
  };
}

function notValid(flag: string, text: string, expected: string): LanyardError {
  return new LanyardError({ code: 'INVALID', field: flag, message: `--${flag} is "${text}"; expected ${expected}` });
}
