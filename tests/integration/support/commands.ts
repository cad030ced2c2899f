import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** The command line as real processes. */

const MAIN = join(import.meta.dirname, '../../../electron/cli/main.ts');

export interface Started {
  readonly process: ChildProcess;
  readonly result: Promise<Result>;
}

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const clean = Object.entries(process.env).filter(([name]) => !/^(LANYARD_|MAX_PARALLEL_JOBS|DOCKER_|NO_COLOR|FORCE_COLOR)/.test(name));
  return { ...Object.fromEntries(clean), ...extra };
}

export function beginCommand(folder: string, argv: readonly string[], extra?: Readonly<Record<string, string>>): Started {
  const child = spawn(process.execPath, [MAIN, ...argv], { cwd: folder, env: environment(extra), stdio: ['ignore', 'pipe', 'pipe'] });
  const result = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(([[code], stdout, stderr]) => ({
    code: code as number | null,
    stdout,
    stderr,
  }));
  return { process: child, result };
}

/** Waits for a line of stderr. */
export async function said(started: Started, pattern: RegExp): Promise<RegExpExecArray> {
  if (started.process.stderr === null) throw new Error('started without a pipe');
  let all = '';
  for await (const [chunk] of on(started.process.stderr)) {
    all += String(chunk);
    const match = pattern.exec(all);
    if (match !== null) return match;
  }
  throw new Error(`${pattern} was never said, but: ${all}`);
}

/** Data as it comes, without taking it from others that read. */
async function* on(stream: NodeJS.ReadableStream): AsyncGenerator<[unknown]> {
  const ended = once(stream, 'end').then(() => undefined);
  for (;;) {
    const next = await Promise.race([once(stream, 'data'), ended]);
    if (next === undefined) return;
    yield next as [unknown];
  }
}
