import { resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'electron-vite';

const at = (path: string) => resolve(import.meta.dirname, path);

/**
 * One build of the desktop app: `out/main`, `out/preload` and `out/renderer`. The last is also the dashboard of a headless
 * coordinator, so it must hold under `default-src 'self'`: no inline script or style, and nothing as a data: URL but pictures.
 */
export default defineConfig({
  main: {
    build: {
      outDir: 'out/main',
      rollupOptions: { input: { main: at('electron/app/main.ts') } },
    },
  },
  preload: {
    // The sandbox gives a preload no modules of its own: everything is bundled into one CommonJS file.
    build: {
      outDir: 'out/preload',
      externalizeDeps: false,
      rollupOptions: { input: { preload: at('electron/app/preload.ts') }, output: { format: 'cjs', entryFileNames: '[name].cjs' } },
    },
  },
  renderer: {
    root: at('renderer'),
    plugins: [react()],
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
