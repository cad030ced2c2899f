import { ensureEngine } from '../../integration/support/engine.ts';
import { ensureImage } from '../../integration/support/images.ts';
import { startDisplay } from './display.ts';
import { findElectron } from './electron.ts';

/** Runs once before all tests: an Electron, a display without a screen, and a container engine with the smallest image. */
export default async function setup(): Promise<() => Promise<void>> {
  await findElectron();
  const endDisplay = await startDisplay();
  const engine = await ensureEngine();
  await ensureImage('busybox', engine.socket);
  return async () => {
    await engine.stop();
    endDisplay();
  };
}
