import { type Command, CommanderError } from 'commander';
import { LanyardError } from '../../shared/errors.ts';
import { VERSION } from '../version.ts';
import type { Load } from './commands.ts';
import { findConnection } from './connection.ts';
import type { Context, GlobalOptions } from './context.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { createProgram } from './program.ts';
import { createTerminal, type Streams, type Terminal } from './terminal.ts';
import { plain } from './text.ts';

export interface Invocation extends Streams {
  /** What stands after the program's name. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** Runs one command line. Never throws; what went wrong is on stderr, with a hint where there is one. */
export async function runCommandLine(invocation: Invocation): Promise<ExitCode> {
  const { stdout, stderr, signal } = invocation;
  const at = invocation.argv.indexOf('--');
  const argv = at < 0 ? invocation.argv : invocation.argv.slice(0, at);
  const trailing = at < 0 ? [] : invocation.argv.slice(at + 1);
  const terminal = createTerminal(invocation);
  let code: ExitCode = EXIT.ok;
  const run = async (load: Load, command: Command) => {
    if (trailing.length > 0 && command.name() !== 'submit')
      throw new LanyardError({ code: 'INVALID', message: `\`lanyard ${command.name()}\` takes nothing after --` });
    const handler = await load();
    code = await handler(createContext(invocation, terminal, command, trailing), command.args, command.opts());
  };
  const program = createProgram(VERSION, run);
  for (const command of allCommands(program))
    command.exitOverride().configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    terminal.progress(undefined);
    if (signal.aborted && isInterruption(error, signal)) return EXIT.interrupted;
    report(terminal, error, argv.includes('--json'));
    return exitCodeOf(error);
  }
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

function isInterruption(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError');
}

function createContext(invocation: Invocation, terminal: Terminal, command: Command, trailing: readonly string[]): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  return {
    ...invocation,
    terminal,
    options,
    trailing,
    async connect() {
      const connection = await findConnection(options, invocation.env);
      const { createClient } = await import('../api/client.ts');
      return createClient(connection);
    },
  };
}

/** An operating error in a sentence or two; a fault of the program itself with all that helps to find it. */
function report(terminal: Terminal, error: unknown, asJson: boolean): void {
  if (!(error instanceof LanyardError)) {
    terminal.note(`lanyard: unexpected error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return;
  }
  if (asJson) {
    terminal.note(JSON.stringify({ error: error.toValue() }));
    return;
  }
  terminal.note(`lanyard: ${plain(error.message)}`);
  if (error.hint !== undefined) terminal.note(`hint: ${plain(error.hint)}`);
}
