#!/usr/bin/env node
import { EXIT } from './exit-codes.ts';
import { runCommandLine } from './run.ts';

/** The `lanyard` command. The first Ctrl-C asks it to end in good order, the second ends it at once. */
const interruption = new AbortController();
const interrupt = () => {
  if (interruption.signal.aborted) process.exit(EXIT.interrupted);
  interruption.abort(new Error('interrupted'));
};
process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);

// The reader of a pipe may leave early, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

// Node calls its SQLite experimental, which is our concern and not our users'.
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') process.stderr.write(`${warning.stack ?? warning.message}\n`);
});

const code = await runCommandLine({
  argv: process.argv.slice(2),
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
  signal: interruption.signal,
});

// Whatever still holds the event loop (a kept connection, a timer) must not hold the user; what was written goes out first.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
