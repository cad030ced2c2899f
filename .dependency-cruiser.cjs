/**
 * The direction of imports, from one table (`docs/` and ARCHITECTURE.md show the same one), and the home of each
 * library that only one folder may touch. `npm run imports` fails on any violation.
 */
const ALLOWED = {
  'electron/core': [],
  'electron/ports': [],
  'electron/disk.ts': [],
  'electron/gathered-write.ts': [],
  'electron/thread.ts': [],
  'electron/web-stream.ts': [],
  'electron/store': ['electron/ports', 'electron/thread.ts'],
  'electron/link': ['electron/ports'],
  'electron/trust': ['electron/ports', 'electron/disk.ts', 'electron/gathered-write.ts'],
  'electron/discovery': ['electron/ports'],
  'electron/files': ['electron/ports', 'electron/disk.ts', 'electron/gathered-write.ts', 'electron/thread.ts', 'electron/web-stream.ts'],
  'electron/executor': ['electron/ports'],
  'electron/machine': ['electron/ports'],
  'electron/daemon': ['electron/core', 'electron/ports'],
  'electron/api': ['electron/ports', 'electron/daemon', 'electron/files', 'electron/web-stream.ts'],
  'electron/handover': ['electron/ports'],
  'electron/compose': ['electron/'],
  'electron/app': [
    'electron/compose',
    'electron/ports',
    'electron/version.ts',
    'electron/api/client.ts',
    'electron/machine',
    'electron/files/threads/file-threads.ts',
    'electron/executor/engine-state.ts',
    // Both find the same data folder, and the same settings in it.
    'electron/cli/data-folder.ts',
    'electron/cli/settings.ts',
  ],
  'electron/cli': [
    'electron/compose',
    'electron/ports',
    'electron/version.ts',
    'electron/api/client.ts',
    'electron/files',
    'electron/machine',
    'electron/executor/sockets.ts',
    'electron/discovery',
    'electron/trust',
  ],
};

/** Libraries with exactly one home. */
const HOMES = {
  dockerode: '^electron/executor/',
  ws: '^electron/link/',
  'bonjour-service': '^electron/discovery/',
  systeminformation: '^electron/machine/',
  'node:sqlite': '^electron/store/',
  fastify: '^electron/api/',
  '@fastify/.*': '^electron/api/',
  yauzl: '^electron/files/',
  yazl: '^electron/files/',
  'wasm-vips': '^electron/files/',
  'parse-exr': '^electron/files/',
  commander: '^electron/cli/',
  electron: '^electron/app/',
  react: '^renderer/',
};

const TEST = '\\.test\\.ts$';
const prefix = (path) => `^${path.replaceAll('.', '\\.')}${path.endsWith('.ts') ? '$' : path.endsWith('/') ? '' : '/'}`;

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'shared-imports-zod-only',
      severity: 'error',
      from: { path: '^shared/', pathNot: TEST },
      to: { pathNot: ['^shared/', '^node_modules/zod/'] },
    },
    ...Object.entries(ALLOWED).map(([from, to]) => ({
      name: `${from.replace('electron/', '')}-direction`,
      severity: 'error',
      from: { path: prefix(from), pathNot: TEST },
      to: { path: '^(electron|renderer|tests)/', pathNot: [prefix(from), ...to.map(prefix)] },
    })),
    {
      name: 'renderer-sees-shared-only',
      severity: 'error',
      from: { path: '^renderer/' },
      to: { path: '^electron/' },
    },
    {
      name: 'product-does-not-import-tests',
      severity: 'error',
      from: { path: '^(electron|renderer|shared)/', pathNot: TEST },
      to: { path: '^tests/' },
    },
    ...Object.entries(HOMES).map(([library, home]) => ({
      name: `home-of-${library}`,
      severity: 'error',
      from: { path: '^(electron|renderer|shared)/', pathNot: home },
      to: { path: library.startsWith('node:') ? `^${library}$` : `^node_modules/${library}/`, dependencyTypesNot: ['type-only'] },
    })),
    {
      name: 'core-is-pure',
      severity: 'error',
      from: { path: '^(electron/core|shared)/', pathNot: TEST },
      to: { dependencyTypes: ['core'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
};
