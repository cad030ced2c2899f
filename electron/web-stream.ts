import type { Readable } from 'node:stream';

/**
 * What `source` reads, as a web stream; whoever cancels it destroys `source`.
 *
 * `Readable.toWeb` (Node 24), when it is cancelled in the midst of a read, hands on what it still held to a stream that is
 * closed by then, and throws where nobody can catch it. `ReadableStream.from` lets go of its source only after the next part.
 */
export function toWebStream(source: Readable): ReadableStream<Uint8Array<ArrayBuffer>> {
  const parts = source[Symbol.asyncIterator]();
  return new ReadableStream(
    {
      async pull(controller) {
        const part = await parts.next();
        // Both throw once the stream was cancelled, which the stream then takes for no news.
        if (part.done) controller.close();
        else controller.enqueue(part.value);
      },
      cancel() {
        source.destroy();
      },
    },
    { highWaterMark: 0 },
  );
}
