import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { LanyardError } from '../../shared/errors.ts';
import type { JobSpecInput } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import type { Client } from '../api/client.ts';
import type { Context } from './context.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { plain } from './text.ts';

interface Line {
  readonly number: number;
  readonly text: string;
}

/**
 * Submits a job for each line of a file, each a description as JSON; a line that is refused is told of and keeps no other from being
 * taken.
 * @param file its path; `-`: the standard input, whose jobs are submitted as they come
 */
export async function submitLines(context: Context, file: string): Promise<ExitCode> {
  const { terminal } = context;
  const client = await context.connect();
  let taken = 0;
  let refused = 0;
  let code: ExitCode = EXIT.ok;
  const submitOne = async ({ number, text }: Line) => {
    const result = await submitLine(client, text);
    if (context.options.json === true) terminal.json({ line: number, ...result }, 'compact');
    if ('job' in result) {
      taken += 1;
      if (context.options.json !== true) terminal.line(`job ${result.job} is submitted (line ${number})`);
      return;
    }
    refused += 1;
    if (code === EXIT.ok) code = exitCodeOf(new LanyardError(result.error));
    if (context.options.json !== true) terminal.note(`line ${number}: ${plain(result.error.message)}`);
  };
  try {
    for await (const lines of linesOf(open(context, file))) {
      context.signal.throwIfAborted();
      await Promise.all(lines.map(submitOne));
    }
  } finally {
    terminal.note(
      `${taken} ${taken === 1 ? 'job is' : 'jobs are'} submitted, ${refused} ${refused === 1 ? 'line is' : 'lines are'} refused`,
    );
  }
  return code;
}

/** What is wrong with the line is its result; what keeps all from being taken is thrown. */
async function submitLine(client: Client, text: string) {
  try {
    return { job: await client.submit(parseLine(text)) };
  } catch (error) {
    if (error instanceof LanyardError && error.code === 'INVALID') return { error: error.toValue() };
    throw error;
  }
}

function parseLine(text: string): JobSpecInput {
  try {
    // Whether it is a job is for the coordinator to say.
    return JSON.parse(text) as JobSpecInput;
  } catch (cause) {
    throw new LanyardError({ code: 'INVALID', message: `it is not JSON: ${(cause as Error).message}` }, { cause });
  }
}

function open(context: Context, file: string): Readable {
  if (file !== '-') return createReadStream(resolve(context.cwd, file));
  if (context.stdin === undefined) throw new LanyardError({ code: 'INVALID', field: 'from-file', message: 'there is no standard input' });
  return context.stdin;
}

/** @returns the lines that are not empty, those together that came together. @throws LanyardError INVALID for one that no request could carry */
async function* linesOf(input: Readable): AsyncGenerator<Line[]> {
  let rest = '';
  let number = 0;
  const take = (texts: readonly string[]): Line[] =>
    texts.map((text) => ({ number: ++number, text: text.trim() })).filter(({ text }) => text !== '');
  try {
    for await (const chunk of input.setEncoding('utf8') as AsyncIterable<string>) {
      const texts = (rest + chunk).split('\n');
      rest = texts.pop() ?? '';
      if (rest.length > LIMITS.requestBytes)
        throw new LanyardError({ code: 'INVALID', message: `line ${number + 1} has more than ${LIMITS.requestBytes} characters` });
      yield take(texts);
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (cause instanceof LanyardError || code === undefined) throw cause;
    throw new LanyardError({ code: 'INVALID', field: 'from-file', message: `cannot read the jobs (${code})` }, { cause });
  }
  yield take([rest]);
}
