import type { Logger } from '../../electron/ports/system.ts';

const nothing = () => {};

/** Keeps nothing. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
