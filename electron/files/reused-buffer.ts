/** Shorter pieces have memory of their own: most logs are short, and need not hold more than they say. */
const LEAST_BYTES = 32 * 1024;

/**
 * Memory in which one large piece after the other is put together. New memory for each would be more for the collector to
 * look after than all else that a busy log costs.
 */
export class ReusedBuffer {
  readonly #mostBytes: number;
  #kept: Buffer | undefined;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** @returns `length` bytes with anything in them, which are the caller's until the next call */
  take(length: number): Buffer {
    if (length < LEAST_BYTES || length > this.#mostBytes) return Buffer.allocUnsafeSlow(length);
    this.#kept ??= Buffer.allocUnsafeSlow(this.#mostBytes);
    return this.#kept.subarray(0, length);
  }
}
