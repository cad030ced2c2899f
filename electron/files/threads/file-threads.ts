import { availableParallelism } from 'node:os';
import { Readable } from 'node:stream';
import type { Worker } from 'node:worker_threads';
import { LIMITS } from '../../../shared/limits.ts';
import type { FileWork } from '../../ports/files.ts';
import { startThread } from '../../thread.ts';
import { type Answer, errorOf, type Order } from './messages.ts';
import type { Question, Result, WorkName } from './work.ts';

/** One core is left to the main thread. */
const THREADS = Math.max(1, Math.min(LIMITS.fileThreads, availableParallelism() - 1));
/** A thread and its memory are given back after this time without work (ms). */
const IDLE_MS = 30_000;

/**
 * Work on files that takes the CPU, in threads beside the one that answers people and machines: hashing, unpacking, packing.
 * The threads start with the first work, take all that comes (one long file keeps nobody waiting), and end when there is none.
 */
export const fileThreads: FileWork = {
  hash: (path, signal) => inThread('hash', { path }, { signal }),
  checkZip: (path) => inThread('checkZip', { path }),
  extractZip: (path, folder, options) => inThread('extractZip', { path, folder }, options),
  readJobFile: (path) => inThread('readJobFile', { path }),
  zip: (entries) => inThread('zip', { entries }),
  zipFolder: (folder, outFile, options) => inThread('zipFolder', { folder, outFile }, options),
};

interface Options {
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

interface Job extends Options {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

const threads = new Set<FileThread>();
let lastId = 0;

async function inThread<Name extends WorkName>(name: Name, question: Question<Name>, options: Options = {}): Promise<Result<Name>> {
  options.signal?.throwIfAborted();
  return (await freest().work(name, question, options)) as Result<Name>;
}

/** An idle thread, or another as long as there may be more, or the one with the least to do. */
function freest(): FileThread {
  let best: FileThread | undefined;
  for (const thread of threads) if (best === undefined || thread.jobs < best.jobs) best = thread;
  if (best !== undefined && (best.jobs === 0 || threads.size >= THREADS)) return best;
  return new FileThread();
}

class FileThread {
  readonly #worker: Worker;
  readonly #jobs = new Map<number, Job>();
  #idle: NodeJS.Timeout | undefined;

  constructor() {
    this.#worker = startThread('files/threads/thread.ts', 'file-thread.js');
    this.#worker.on('message', (answer: Answer) => this.#hear(answer));
    this.#worker.once('exit', () => this.#end());
    threads.add(this);
  }

  get jobs(): number {
    return this.#jobs.size;
  }

  async work(name: WorkName, question: unknown, options: Options): Promise<unknown> {
    clearTimeout(this.#idle);
    this.#worker.ref();
    lastId += 1;
    const id = lastId;
    const stop = (): void => this.#say({ id, stop: true });
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      return await new Promise((resolve, reject) => {
        this.#jobs.set(id, { ...options, resolve, reject });
        this.#say({ id, name, question });
      });
    } catch (error) {
      // It was answered only when nothing of it went on any more.
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', stop);
    }
  }

  #say(order: Order): void {
    this.#worker.postMessage(order);
  }

  #hear(answer: Answer): void {
    const job = this.#jobs.get(answer.id);
    if (job === undefined) return;
    if ('total' in answer) {
      job.progress?.(answer.done, answer.total);
    } else if ('stream' in answer) {
      const stream = Readable.fromWeb(answer.stream);
      this.#jobs.set(answer.id, { ...job, reject: (error) => stream.destroy(error) });
      stream.once('close', () => this.#finish(answer.id));
      job.resolve(stream);
    } else {
      this.#finish(answer.id);
      if ('failure' in answer) job.reject(errorOf(answer.failure));
      else job.resolve(answer.result);
    }
  }

  /** With nothing to do it keeps no program from ending, and after a while it ends itself. */
  #finish(id: number): void {
    this.#jobs.delete(id);
    if (this.#jobs.size > 0) return;
    this.#worker.unref();
    this.#idle = setTimeout(() => {
      threads.delete(this);
      void this.#worker.terminate();
    }, IDLE_MS).unref();
  }

  #end(): void {
    clearTimeout(this.#idle);
    threads.delete(this);
    for (const job of this.#jobs.values()) job.reject(new Error('The thread that worked on a file ended.'));
    this.#jobs.clear();
  }
}
