import { createRequire } from 'node:module';

/** The version in package.json, which stands two folders up both in the source tree and in a built package. */
export const VERSION: string = (createRequire(import.meta.url)('../package.json') as { version: string }).version;
