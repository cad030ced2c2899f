import type { Readable } from 'node:stream';
import type { LogStream } from '../../shared/protocol.ts';
import type { LogSink } from '../ports/executor.ts';

/** Takes a piece of output; what it returns, if anything, settles when the next piece may come. */
export type Take = (bytes: Uint8Array) => Promise<void> | undefined;

/** Output on its way from a pipe to the sink. */
export interface OutputPump {
  /** Settles, never rejects, when the source has ended and all of it was taken; with the sink's error if it had one. */
  readonly done: Promise<Error | undefined>;
  /** The writers are gone: gives up when nothing has come for `idleMs`, in case somebody else still holds the pipe. */
  finish(idleMs: number): void;
}

/** Reads `source` to its end. It is read on only when `take` has let go of the last piece, so its writer is held back by a slow sink. */
export function pumpOutput(source: Readable, take: Take): OutputPump {
  // An error after the end would otherwise be thrown at nobody.
  source.on('error', () => {});
  let idleMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  const watch = () => {
    clearTimeout(timer);
    if (idleMs !== undefined) timer = setTimeout(() => source.destroy(), idleMs);
  };
  let taking = false;
  const pump = async (): Promise<Error | undefined> => {
    try {
      for await (const bytes of source) {
        clearTimeout(timer);
        taking = true;
        const room = take(bytes as Uint8Array);
        if (room !== undefined) await room;
        taking = false;
        watch();
      }
      return undefined;
    } catch (error) {
      // A source that breaks off has simply ended: who started the command learns of its end in another way.
      return taking ? (error as Error) : undefined;
    } finally {
      idleMs = undefined;
      clearTimeout(timer);
    }
  };
  const finish = (ms: number) => {
    if (source.destroyed) return;
    idleMs = ms;
    if (!taking) watch();
  };
  return { done: pump(), finish };
}

const HEADER_BYTES = 8;
/** Stream types of the engine's multiplexed output; 3 carries the engine's own errors. */
const STREAMS: readonly (LogStream | undefined)[] = [undefined, 'stdout', 'stderr', 'system'];

/**
 * Splits the engine's multiplexed output: frames of one byte of stream type, three of padding, the length as four bytes
 * big-endian, and the bytes (Docker Engine API, ContainerAttach). Pieces of a frame are passed on as they come, so
 * nothing is ever buffered but a broken header.
 */
export function demultiplex(sink: LogSink): Take {
  const header = new Uint8Array(HEADER_BYTES);
  let headerFilled = 0;
  let frameLeft = 0;
  let stream: LogStream = 'stdout';

  const readHeader = (bytes: Uint8Array): number => {
    const taken = Math.min(HEADER_BYTES - headerFilled, bytes.length);
    header.set(bytes.subarray(0, taken), headerFilled);
    headerFilled += taken;
    if (headerFilled < HEADER_BYTES) return taken;
    headerFilled = 0;
    const named = STREAMS[header[0] as number];
    if (named === undefined) throw new Error(`the engine sent output of the unknown type ${header[0]}`);
    stream = named;
    frameLeft = new DataView(header.buffer).getUint32(4);
    return taken;
  };

  const take = (bytes: Uint8Array): Promise<void> | undefined => {
    let at = 0;
    while (at < bytes.length) {
      if (frameLeft === 0) {
        at += readHeader(bytes.subarray(at));
        continue;
      }
      const piece = bytes.subarray(at, at + frameLeft);
      at += piece.length;
      frameLeft -= piece.length;
      const room = sink(stream, piece);
      if (room === undefined) continue;
      const rest = bytes.subarray(at);
      return room.then(() => take(rest));
    }
    return undefined;
  };
  return take;
}
