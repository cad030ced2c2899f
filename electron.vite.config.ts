import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'electron-vite';
import { thirdPartyNotice } from './third-party-notice.ts';

const at = (path: string) => resolve(import.meta.dirname, path);

/** Compiled parts that a library can do without, and tries to load: the app ships none, so that one build serves every platform. */
export const withoutCompiledParts = {
  name: 'without-compiled-parts',
  enforce: 'pre' as const,
  resolveId: (id: string) => (id.endsWith('.node') || id === 'cpu-features' ? '\0compiled-part.cjs' : null),
  load: (id: string) => (id === '\0compiled-part.cjs' ? 'throw new Error("left out of this build");' : null),
};

const VIPS = at('node_modules/wasm-vips/lib');
/** A decoder that finds its parts, and starts threads of itself, by the names of its files: they stand beside the program as they are. */
export const withDecoder = (folder: string) => ({
  name: 'with-decoder',
  generateBundle(this: { emitFile(file: { type: 'asset'; fileName: string; source: Uint8Array }): void }) {
    for (const fileName of ['vips-node.mjs', 'vips.wasm'])
      this.emitFile({ type: 'asset', fileName: folder + fileName, source: readFileSync(resolve(VIPS, fileName)) });
  },
});

const notice = thirdPartyNotice({ folder: at('out'), copied: ['wasm-vips'] });

/**
 * One build of the desktop app: `out/main`, `out/preload` and `out/renderer`. The last is also the dashboard of a headless
 * coordinator, so it must hold under `default-src 'self'`: no inline script or style, and nothing as a data: URL but pictures.
 */
export default defineConfig({
  main: {
    plugins: [withoutCompiledParts, withDecoder(''), notice],
    // Its build for Node names a variable that the build of this app names too.
    resolve: { alias: { fflate: at('node_modules/fflate/esm/browser.js') } },
    // Libraries are bundled: the app starts from a few files instead of two thousand, and ships nothing that it does not use.
    build: {
      outDir: 'out/main',
      externalizeDeps: false,
      rollupOptions: {
        // Threads are started by the names of their files.
        input: {
          main: at('electron/app/main.ts'),
          'thumbnail-worker': at('electron/files/thumbnails/worker.ts'),
          'file-thread': at('electron/files/threads/thread.ts'),
          'checkpoint-thread': at('electron/store/checkpoint-thread.ts'),
        },
        external: ['wasm-vips'],
        output: { paths: { 'wasm-vips': './vips-node.mjs' } },
      },
    },
  },
  preload: {
    plugins: [notice],
    // The sandbox gives a preload no modules of its own: everything is bundled into one CommonJS file.
    build: {
      outDir: 'out/preload',
      externalizeDeps: false,
      rollupOptions: { input: { preload: at('electron/app/preload.ts') }, output: { format: 'cjs', entryFileNames: '[name].cjs' } },
    },
  },
  renderer: {
    root: at('renderer'),
    plugins: [react(), notice],
    build: {
      outDir: at('out/renderer'),
      assetsInlineLimit: 0,
      minify: true,
      // One file: it comes from this machine or from the same network, and nothing waits for another part of it.
      chunkSizeWarningLimit: 1_200,
      target: 'chrome120',
      rollupOptions: { input: { index: at('renderer/index.html') } },
    },
  },
});
