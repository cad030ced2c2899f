import type { Command } from 'commander';
import type { Handler } from './context.ts';

/** Loads a command's module only when it is wanted, so that `--help` and small commands start at once. */
// biome-ignore lint/suspicious/noExplicitAny: each handler names the options it expects, which commander does not know
export type Load = () => Promise<Handler<any>>;
/** Runs a command that was chosen. */
export type Run = (load: Load, command: Command) => Promise<void>;
/** Adds a command, of the whole program or under another command. */
export type Add = (usage: string, description: string, load: Load, parent?: Command) => Command;
