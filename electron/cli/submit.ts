import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { invalid, LanyardError } from '../../shared/errors.ts';
import type { BlobId } from '../../shared/ids.ts';
import { JOB_FILE } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import { planStages, submissionSchema } from '../../shared/stages.ts';
import type { Client } from '../api/client.ts';
import type { Context, Handler } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { durationMs, type JobFlags, jobFromFlags } from './job-flags.ts';
import { saveOutputs } from './output-command.ts';
import { describeByTemplate, type TemplateFlags } from './template-commands.ts';
import { plain } from './text.ts';
import { uploadFile, uploadFolder } from './upload.ts';
import { reportEnd, waitForJob } from './wait.ts';

export interface SubmitOptions extends JobFlags, TemplateFlags {
  readonly fromFile?: string;
  readonly wait?: boolean;
  readonly waitTimeout?: string;
  readonly download?: string;
}

/** Submits a zip, a folder, a job description, or just a command; see `lanyard submit --help`. */
export const submit: Handler<SubmitOptions> = async (context, [path], options) => {
  if (options.fromFile !== undefined) return submitFromFile(context, options.fromFile, path, options);
  const source = await openSource(context, path, await describeByTemplate(context, options));
  if (source.description.stages !== undefined) return submitStages(context, source, options);
  const { input, spec, taskCount } = jobFromFlags(source.description, nameFlag(source, options, context.trailing), context.trailing);
  const waitMs = durationMs('wait-timeout', options.waitTimeout);
  const client = await context.connect();
  const blob = await uploadSource(context, client, source);
  const job = await client.call('submitJob', { body: blob === undefined ? input : { ...input, input: blob }, signal: context.signal });
  const waits = options.wait === true || options.download !== undefined || waitMs !== undefined;
  const told = `job ${job.id} (${plain(spec.name)}) is submitted: ${taskCount} ${taskCount === 1 ? 'task' : 'tasks'}`;
  if (!waits) {
    if (context.options.json === true) context.terminal.json(job);
    else context.terminal.line(told);
    return EXIT.ok;
  }
  context.terminal.note(told);
  return waitAndDownload(context, client, job.id, waitMs, options.download);
};

async function submitFromFile(context: Context, file: string, path: string | undefined, options: SubmitOptions): Promise<ExitCode> {
  const { fromFile: _, ...others } = options;
  const [flag = path === undefined && context.trailing.length === 0 ? undefined : 'input'] = Object.keys(others);
  if (flag !== undefined)
    throw new LanyardError({
      code: 'INVALID',
      field: flag,
      message: 'with --from-file each line says all about its job, so there is nothing else to give',
      hint: 'write it into the lines',
    });
  return (await import('./submit-lines.ts')).submitLines(context, file);
}

/** Stages of one description become jobs that wait for each other; flags that describe a single job say nothing here. */
async function submitStages(context: Context, source: Source, options: SubmitOptions): Promise<ExitCode> {
  const { wait, waitTimeout, download, name, template: _template, set: _set, preset: _preset, ...others } = options;
  const [flag] = Object.keys(others);
  if (flag !== undefined || context.trailing.length > 0)
    throw new LanyardError({
      code: 'INVALID',
      field: flag ?? 'command',
      message: `the description has stages, and ${flag === undefined ? 'a command after --' : `the flag for "${flag}"`} cannot be meant for all of them`,
      hint: 'write it into the description: beside `stages` for all, or inside of one',
    });
  const description = { ...source.description, name: name ?? source.description.name ?? nameFlag(source, options, []).name };
  const parsed = submissionSchema.safeParse(description);
  if (!parsed.success) throw invalid(parsed.error, 'the description');
  planStages(parsed.data);
  const waitMs = durationMs('wait-timeout', waitTimeout);
  const client = await context.connect();
  const blob = await uploadSource(context, client, source);
  const body = blob === undefined ? parsed.data : { ...parsed.data, input: blob };
  const { jobs } = await client.call('submitStages', { body, signal: context.signal });
  const waits = wait === true || download !== undefined || waitMs !== undefined;
  if (!waits && context.options.json === true) context.terminal.json({ jobs });
  for (const job of jobs) {
    const told = `job ${job.id} (${plain(job.name)}) is submitted: ${job.taskCount} ${job.taskCount === 1 ? 'task' : 'tasks'}`;
    if (waits) context.terminal.note(told);
    else if (context.options.json !== true) context.terminal.line(told);
  }
  if (!waits) return EXIT.ok;
  let code: ExitCode = EXIT.ok;
  for (const job of jobs) {
    const folder = download === undefined ? undefined : join(download, `job-${job.id}`);
    const ended = await waitAndDownload(context, client, job.id, waitMs, folder);
    if (code === EXIT.ok) code = ended;
  }
  return code;
}

async function waitAndDownload(
  context: Context,
  client: Client,
  job: number,
  waitMs: number | undefined,
  download: string | undefined,
): Promise<ExitCode> {
  const { terminal } = context;
  const goesOn = `job ${job} goes on. Follow it with \`lanyard logs ${job} -f\`, stop it with \`lanyard cancel ${job}\``;
  try {
    const ended = await waitForJob(context, client, job, waitMs);
    if (ended === undefined) {
      terminal.note(`the time is over, but ${goesOn}`);
      if (context.options.json === true) terminal.json(await client.call('getJob', { params: { job } }));
      return EXIT.timedOut;
    }
    const code = await reportEnd(context, client, ended);
    if (download !== undefined) {
      const folder = resolve(context.cwd, download);
      const saved = await saveOutputs(context, client, job, folder);
      terminal.note(`${saved.length} ${saved.length === 1 ? 'file' : 'files'} in ${folder}`);
    }
    if (context.options.json === true) terminal.json(ended);
    return code;
  } catch (error) {
    if (context.signal.aborted) terminal.note(goesOn);
    throw error;
  }
}

/** What is submitted: where its files are, and what its description says. */
interface Source {
  readonly kind: 'none' | 'zip' | 'folder';
  readonly path: string;
  readonly description: Readonly<Record<string, unknown>>;
}

/** @param byTemplate what a template describes; the input's own description then does not count */
async function openSource(context: Context, given: string | undefined, byTemplate: Source['description'] | undefined): Promise<Source> {
  if (given === undefined) return { kind: 'none', path: '', description: byTemplate ?? {} };
  const path = resolve(context.cwd, given);
  const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new LanyardError(
      {
        code: 'INVALID',
        field: 'INPUT',
        message: `cannot read ${plain(given)} (${cause.code})`,
        hint: 'a command goes after --, as in `lanyard submit -- echo hello`',
      },
      { cause },
    );
  });
  if (byTemplate !== undefined) return { kind: info.isDirectory() ? 'folder' : 'zip', path, description: byTemplate };
  if (info.isDirectory()) return { kind: 'folder', path, description: (await describedBy(context, [join(path, JOB_FILE)])) ?? {} };
  if (extname(path).toLowerCase() === '.json') return { kind: 'none', path: '', description: (await describedBy(context, [path])) ?? {} };
  const { readJobFile } = await import('../files/unzip.ts');
  const inside = await readJobFile(path);
  if (inside !== undefined) {
    const description = parseDescription(inside.text, `${JOB_FILE} in ${given}`);
    // Its paths count from the folder it lies in.
    const inFolder = (workdir: unknown) => (inside.folder === '.' ? workdir : `${inside.folder}/${workdir ?? '.'}`);
    const stages = Array.isArray(description.stages)
      ? {
          stages: description.stages.map((stage) =>
            stage?.workdir === undefined ? stage : { ...stage, workdir: inFolder(stage.workdir) },
          ),
        }
      : {};
    return { kind: 'zip', path, description: { ...description, workdir: inFolder(description.workdir), ...stages } };
  }
  const beside = [join(dirname(path), `${basename(path, extname(path))}.${JOB_FILE}`), join(dirname(path), JOB_FILE)];
  return { kind: 'zip', path, description: (await describedBy(context, beside)) ?? {} };
}

/** The first of these files that is there. */
async function describedBy(context: Context, paths: readonly string[]): Promise<Source['description'] | undefined> {
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) continue;
    context.terminal.note(`using ${path}`);
    return parseDescription(text, path);
  }
  return undefined;
}

function parseDescription(text: string, what: string): Source['description'] {
  let value: unknown;
  try {
    // Some editors put a byte order mark first.
    value = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (cause) {
    throw new LanyardError({ code: 'INVALID', message: `${plain(what)} is not JSON: ${plain((cause as Error).message)}` }, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new LanyardError({ code: 'INVALID', message: `${plain(what)} is not a job description; expected an object in braces` });
  return value as Source['description'];
}

/** A job that is named nowhere is called after its file or folder, or else after its program. */
function nameFlag({ path, description }: Source, options: SubmitOptions, trailing: readonly string[]): SubmitOptions {
  if (options.name !== undefined || description.name !== undefined) return options;
  const name = path === '' ? (trailing[0] ?? options.command?.trim().split(/\s/)[0]) : basename(path).replace(/\.zip$/i, '');
  return name === undefined || name === '' ? options : { ...options, name: name.slice(0, LIMITS.nameLength) };
}

async function uploadSource(context: Context, client: Client, source: Source): Promise<BlobId | undefined> {
  if (source.kind === 'none') return undefined;
  return source.kind === 'zip' ? uploadFile(context, client, source.path) : uploadFolder(context, client, source.path);
}
