/** Pieces that are kept for the next frame; what a burst needs beyond them is left to the collector. */
const KEPT = 4;

/** Memory for large frames, each used again when it has been written: to make and collect it anew takes longer than to fill it. */
export interface FrameMemory {
  /** @returns `length` bytes with anything in them */
  take(length: number): Buffer;
  /** Nobody reads it any more. */
  giveBack(frame: Buffer): void;
}

/** @param mostBytes the longest frame */
export function createFrameMemory(mostBytes: number): FrameMemory {
  const free: ArrayBuffer[] = [];
  return {
    take(length) {
      // Short ones are seldom many at once.
      if (length < mostBytes / 4 || length > mostBytes) return Buffer.allocUnsafe(length);
      return Buffer.from(free.pop() ?? new ArrayBuffer(mostBytes), 0, length);
    },
    giveBack({ buffer }) {
      if (buffer instanceof ArrayBuffer && buffer.byteLength === mostBytes && free.length < KEPT) free.push(buffer);
    },
  };
}
