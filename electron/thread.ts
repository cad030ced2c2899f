import { Worker } from 'node:worker_threads';

/**
 * Starts a thread of this program. In the sources it is a file below this folder; a build has it as an entry of
 * its own, beside the file that this is bundled into.
 * @param source relative to `electron`. An error ends the thread and is heard of by its end; what it prints is nobody's concern
 */
export function startThread(source: string, built: string): Worker {
  const isSource = import.meta.url.endsWith('.ts');
  const file = new URL(isSource ? `./${source}` : `./${built}`, import.meta.url);
  const worker = new Worker(file, { name: built, execArgv: [], stdout: true, stderr: true });
  worker.stdout.resume();
  worker.stderr.resume();
  return worker.on('error', () => undefined);
}

/** Asks a thread that answers one message after the other. @returns undefined when it has ended instead */
export function askThread<Answer>(thread: Worker, question: unknown): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const end = (answer: Answer | undefined) => {
      thread.off('message', end).off('exit', onExit);
      resolve(answer);
    };
    const onExit = () => end(undefined);
    thread.on('message', end).on('exit', onExit);
    thread.postMessage(question);
  });
}
