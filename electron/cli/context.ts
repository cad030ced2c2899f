import type { Client } from '../api/client.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Streams, Terminal } from './terminal.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly token?: string;
  readonly data?: string;
}

/** What a command works with. */
export interface Context extends Streams {
  readonly cwd: string;
  readonly terminal: Terminal;
  readonly options: GlobalOptions;
  /** Aborted by the first Ctrl-C (or a request to terminate). */
  readonly signal: AbortSignal;
  /** The command after `--`. */
  readonly trailing: readonly string[];
  /** @throws LanyardError when no coordinator is known or there is no token */
  connect(): Promise<Client>;
}

/**
 * One command. Errors are thrown, as `LanyardError`s where they are somebody's to mend.
 * @param operands what is not an option, as typed
 * @param options as commander gives them; each command names the type it expects
 */
export type Handler<Options = Record<string, never>> = (
  context: Context,
  operands: readonly string[],
  options: Options,
) => Promise<ExitCode>;
