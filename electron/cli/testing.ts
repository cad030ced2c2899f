import { Writable } from 'node:stream';

/** A stream that keeps what was written to it. */
export function recordingStream(terminal?: {
  readonly columns: number;
}): Writable & { readonly text: string; isTTY: boolean; columns: number } {
  const parts: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      parts.push(chunk);
      done();
    },
  });
  return Object.defineProperties(stream, {
    text: { get: () => Buffer.concat(parts).toString() },
    isTTY: { value: terminal !== undefined },
    columns: { value: terminal?.columns ?? 80 },
  }) as ReturnType<typeof recordingStream>;
}
