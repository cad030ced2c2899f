import { cpSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig } from 'vite';
import { withDecoder, withoutCompiledParts } from './electron.vite.config.ts';
import description from './package.json' with { type: 'json' };
import { thirdPartyNotice } from './third-party-notice.ts';

const at = (path: string) => resolve(import.meta.dirname, path);

/** What stands beside the program, at the places where it looks for it in the source tree. */
const withCompany = {
  name: 'with-company',
  closeBundle() {
    for (const folder of ['resources/examples', 'resources/service', 'out/renderer', 'README.md', 'LICENSE'])
      cpSync(at(folder), at(`dist/cli/${folder}`), { recursive: true });
    const { version, license } = description;
    const packed = {
      name: 'lanyard',
      version,
      license,
      description: 'The headless node and the commands of Lanyard, a render and build farm.',
      type: 'module',
      engines: description.engines,
      bin: { lanyard: 'electron/cli/main.js' },
    };
    writeFileSync(at('dist/cli/package.json'), `${JSON.stringify(packed, null, 2)}\n`);
  },
};

// The dashboard is among what it ships.
const notice = thirdPartyNotice({ folder: at('dist/cli'), copied: ['wasm-vips'], includes: at('out') });

/** The headless `lanyard` for plain Node, without node_modules: `dist/cli` can be packed, copied and run as it is. */
export default defineConfig({
  plugins: [withoutCompiledParts, withDecoder('electron/cli/'), withCompany, notice],
  resolve: { alias: { fflate: at('node_modules/fflate/esm/browser.js') } },
  // Some libraries ask where they are by the names of CommonJS.
  define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
  ssr: { noExternal: true, external: ['wasm-vips'] },
  build: {
    ssr: true,
    target: 'node24',
    outDir: 'dist/cli',
    emptyOutDir: true,
    rollupOptions: {
      input: {
        main: at('electron/cli/main.ts'),
        'thumbnail-worker': at('electron/files/thumbnails/worker.ts'),
        'file-thread': at('electron/files/threads/thread.ts'),
        'checkpoint-thread': at('electron/store/checkpoint-thread.ts'),
      },
      external: ['wasm-vips'],
      output: {
        entryFileNames: 'electron/cli/[name].js',
        chunkFileNames: 'electron/cli/[name]-[hash].js',
        assetFileNames: 'electron/cli/[name][extname]',
        paths: { 'wasm-vips': './vips-node.mjs' },
      },
    },
  },
});
