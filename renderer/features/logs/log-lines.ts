import type { LogRecord, LogStream } from '../../../shared/protocol.ts';

export interface LogLine {
  readonly stream: LogStream;
  /** Wall-clock ms since 1970, of the record that began it. */
  readonly time: number;
  /** Without its end of line; as it came, escape sequences and all. */
  readonly text: string;
}

/** Lines of a block: they share one string, so that a million lines are a thousand strings. */
const BLOCK = 1_024;
/** A longer line is broken here (characters). */
const LONGEST = 16 * 1_024;
const STREAMS: readonly LogStream[] = ['stdout', 'stderr', 'system'];

/** A block is full, or the last one, which is still written to. */
interface Block {
  text: string;
  /** Begin and end of each line in `text`; between two lines stands what ended the first. */
  readonly begins: Uint32Array;
  readonly ends: Uint32Array;
  readonly streams: Uint8Array;
  readonly times: Float64Array;
}

function emptyBlock(): Block {
  return {
    text: '',
    begins: new Uint32Array(BLOCK),
    ends: new Uint32Array(BLOCK),
    streams: new Uint8Array(BLOCK),
    times: new Float64Array(BLOCK),
  };
}

/** A log as lines that can be reached by number. Grows only. */
export class LogLines {
  readonly #blocks: Block[] = [];
  /** Texts of the last block that are not joined yet. */
  #parts: string[] = [];
  #partsLength = 0;
  #count = 0;
  readonly #decoders = new Map<LogStream, TextDecoder>();
  /** The line that each stream is in the middle of. */
  readonly #begun = new Map<LogStream, { text: string; time: number }>();

  /** Lines that are complete. */
  get count(): number {
    return this.#count;
  }

  push(records: readonly LogRecord[]): void {
    for (const { stream, time, bytes } of records) {
      const decoder = this.#decoders.get(stream) ?? new TextDecoder();
      this.#decoders.set(stream, decoder);
      this.#split(stream, time, decoder.decode(bytes, { stream: true }));
    }
  }

  /** The log has ended: what has no end of line is a line too. */
  finish(): void {
    for (const [stream, { text, time }] of this.#begun) if (text !== '') this.#add(stream, time, text, [0, text.length]);
    this.#begun.clear();
  }

  /** @throws a plain error for a number that there is not */
  line(number: number): LogLine {
    const block = this.#blocks[Math.floor(number / BLOCK)];
    if (block === undefined || number < 0 || number >= this.#count) throw new Error(`there is no line ${number}`);
    const within = number % BLOCK;
    return {
      stream: STREAMS[block.streams[within] as number] as LogStream,
      time: block.times[within] as number,
      text: this.#textOf(block).slice(block.begins[within], block.ends[within]),
    };
  }

  /** The numbers of lines that hold `words` (any case), at most `most`. */
  find(words: string, most: number): number[] {
    const wanted = words.toLowerCase();
    const found: number[] = [];
    if (wanted === '') return found;
    this.#blocks.forEach((block, at) => {
      // Most blocks have none: one look through the whole string says so.
      if (found.length >= most || !this.#textOf(block).toLowerCase().includes(wanted)) return;
      const last = Math.min(this.#count, (at + 1) * BLOCK);
      for (let number = at * BLOCK; number < last && found.length < most; number += 1)
        if (this.line(number).text.toLowerCase().includes(wanted)) found.push(number);
    });
    return found;
  }

  #split(stream: LogStream, time: number, text: string): void {
    const begun = this.#begun.get(stream);
    const isMidLine = begun !== undefined && begun.text !== '';
    const whole = isMidLine ? begun.text + text : text;
    // Begin and end of each line, and then begin and end of the next.
    const bounds: number[] = [];
    let at = 0;
    while (at < whole.length) {
      const newline = whole.indexOf('\n', at);
      const end = newline < 0 ? whole.length : newline;
      if (newline < 0 && end - at <= LONGEST) break;
      const cut = Math.min(end, at + LONGEST);
      bounds.push(at, cut);
      at = cut === newline ? cut + 1 : cut;
    }
    if (bounds.length > 0) {
      this.#add(stream, isMidLine ? begun.time : time, whole, bounds.slice(0, 2));
      this.#add(stream, time, whole, bounds.slice(2));
    }
    this.#begun.set(stream, { text: whole.slice(at), time: isMidLine && bounds.length === 0 ? begun.time : time });
  }

  /** Adds lines that stand in one text; they share it, so that a million lines cost a few thousand strings. */
  #add(stream: LogStream, time: number, whole: string, bounds: readonly number[]): void {
    const streamNumber = STREAMS.indexOf(stream);
    for (let next = 0; next < bounds.length; ) {
      const within = this.#count % BLOCK;
      if (within === 0) this.#begin();
      const block = this.#blocks.at(-1) as Block;
      const lines = Math.min(BLOCK - within, (bounds.length - next) / 2);
      const from = bounds[next] as number;
      const shift = this.#partsLength - from;
      for (let line = within; line < within + lines; line += 1) {
        block.begins[line] = (bounds[next] as number) + shift;
        block.ends[line] = (bounds[next + 1] as number) + shift;
        block.streams[line] = streamNumber;
        block.times[line] = time;
        next += 2;
      }
      const to = bounds[next - 1] as number;
      this.#parts.push(whole.slice(from, to));
      this.#partsLength += to - from;
      this.#count += lines;
    }
  }

  #begin(): void {
    const full = this.#blocks.at(-1);
    if (full !== undefined) this.#textOf(full);
    this.#parts = [];
    this.#partsLength = 0;
    this.#blocks.push(emptyBlock());
  }

  #textOf(block: Block): string {
    // Joined when it is read and when it is full, so that the texts it was made of can go.
    if (block === this.#blocks.at(-1) && block.text.length !== this.#partsLength) {
      block.text = this.#parts.join('');
      this.#parts = [block.text];
    }
    return block.text;
  }
}
