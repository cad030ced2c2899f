import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { openDecoder } from './picture.ts';

/** What is asked of the thread that looks into files; one question at a time. */
export interface Wish {
  readonly path: string;
  /** The longer side of the copy, in pixels. */
  readonly edge: number;
}
export type Answer = { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly problem: string };

/** The entrance of that thread: files are read and decoded here and nowhere else in the program. */
const port = parentPort;
if (port === null) throw new Error('this is a worker thread');
const decoder = openDecoder();
port.on('message', async ({ path, edge }: Wish) => {
  try {
    const bytes = (await decoder).thumbnail(readFileSync(path), edge);
    port.postMessage({ bytes } satisfies Answer, [bytes.buffer]);
  } catch (error) {
    port.postMessage({ problem: problemOf(error) } satisfies Answer);
  }
});

/** A fault of libvips is an exception of WebAssembly, whose message is its class and its text. */
function problemOf(error: unknown): string {
  const message = (error as { readonly message?: unknown } | null)?.message;
  return String(Array.isArray(message) ? message.at(-1) : (message ?? error)).slice(0, 500);
}
