import type Docker from 'dockerode';
import type { Phase } from '../../shared/protocol.ts';
import { reasonOf } from './engine.ts';

const LAYERS_AT_MOST = 1_000;
const LINE_CHARACTERS_AT_MOST = 1024 * 1024;

/** Bytes of an image's layers, added up as the engine reports them. */
export interface PullProgress {
  /** @returns the sum now, or undefined when the line says nothing about bytes */
  read(line: PullLine): { readonly done: number; readonly total: number } | undefined;
}

/** One line of the engine's answer to a pull (Docker Engine API, ImageCreate). */
export interface PullLine {
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

export function createPullProgress(): PullProgress {
  const layers = new Map<string, { done: number; total: number }>();
  return {
    read(line) {
      const { id, status } = line;
      if (id === undefined) return undefined;
      const known = layers.get(id);
      if (status === 'Downloading') {
        if (known === undefined && layers.size >= LAYERS_AT_MOST) return undefined;
        const done = line.progressDetail?.current ?? 0;
        layers.set(id, { done, total: Math.max(done, line.progressDetail?.total ?? 0, known?.total ?? 0) });
      } else if (status === 'Download complete' && known !== undefined) {
        layers.set(id, { done: known.total, total: known.total });
      } else return undefined;
      let [done, total] = [0, 0];
      for (const layer of layers.values()) {
        done += layer.done;
        total += layer.total;
      }
      return { done, total };
    },
  };
}

/**
 * Pulls an image.
 * @returns undefined when it is here, else why it is not
 * @throws what the client throws when the engine cannot be reached
 */
export async function pullImage(
  client: Docker,
  image: string,
  progress: (phase: Phase) => void,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answer = (await client.pull(image)) as NodeJS.ReadableStream & { destroy(): void };
  const abort = () => answer.destroy();
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  const sums = createPullProgress();
  try {
    for await (const line of linesOf(answer)) {
      if (line.error !== undefined) return line.error;
      const bytes = sums.read(line);
      if (bytes !== undefined) progress({ phase: 'pulling', ...bytes });
    }
    return undefined;
  } catch (error) {
    return signal.aborted ? 'the pull was stopped' : reasonOf(error);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function* linesOf(answer: NodeJS.ReadableStream): AsyncGenerator<PullLine> {
  answer.setEncoding('utf8');
  let rest = '';
  for await (const text of answer) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_CHARACTERS_AT_MOST) throw new Error('the engine sent a line without an end');
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as PullLine;
  }
}
