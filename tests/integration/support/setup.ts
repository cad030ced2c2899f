import { ensureEngine } from './engine.ts';
import { ensureImage } from './images.ts';

/** Runs once before all integration tests: a running engine with the smallest image. Ends what it started. */
export default async function setup(): Promise<() => Promise<void>> {
  const engine = await ensureEngine();
  await ensureImage('busybox', engine.socket);
  return () => engine.stop();
}
