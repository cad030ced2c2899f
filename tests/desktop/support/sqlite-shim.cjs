/**
 * Loaded before the app in an Electron older than the one that ships, which has no `node:sqlite`: a library with the same
 * API takes its place. Only tests use it.
 */
const { register } = require('node:module');
const { pathToFileURL } = require('node:url');

const library = require.resolve('@photostructure/sqlite');
const shim = `
  import { createRequire } from 'node:module';
  const library = createRequire(${JSON.stringify(pathToFileURL(__filename).href)})(${JSON.stringify(library)});
  export const { DatabaseSync, StatementSync, backup, constants } = library;
`;
const hooks = `
  const shim = ${JSON.stringify(`data:text/javascript,${encodeURIComponent(shim)}`)};
  export function resolve(specifier, context, next) {
    return specifier === 'node:sqlite' ? { url: shim, shortCircuit: true } : next(specifier, context);
  }
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
