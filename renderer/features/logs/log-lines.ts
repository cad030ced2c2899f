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

interface Block {
  readonly text: string;
  /** End of each line in `text`. */
  readonly ends: Uint32Array;
  readonly streams: Uint8Array;
  readonly times: Float64Array;
}

/** A log as lines that can be reached by number. Grows only. */
export class LogLines {
  readonly #blocks: Block[] = [];
  #open: LogLine[] = [];
  readonly #decoders = new Map<LogStream, TextDecoder>();
  /** The line that each stream is in the middle of. */
  readonly #begun = new Map<LogStream, { text: string; time: number }>();

  /** Lines that are complete. */
  get count(): number {
    return this.#blocks.length * BLOCK + this.#open.length;
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
    for (const [stream, { text, time }] of this.#begun) if (text !== '') this.#add({ stream, time, text });
    this.#begun.clear();
  }

  /** @throws a plain error for a number that there is not */
  line(number: number): LogLine {
    const block = this.#blocks[Math.floor(number / BLOCK)];
    const within = number % BLOCK;
    if (block === undefined) {
      const line = this.#open[number - this.#blocks.length * BLOCK];
      if (line === undefined) throw new Error(`there is no line ${number}`);
      return line;
    }
    return {
      stream: STREAMS[block.streams[within] as number] as LogStream,
      time: block.times[within] as number,
      text: block.text.slice(within === 0 ? 0 : block.ends[within - 1], block.ends[within]),
    };
  }

  /** The numbers of lines that hold `words` (any case), at most `most`. */
  find(words: string, most: number): number[] {
    const wanted = words.toLowerCase();
    const found: number[] = [];
    if (wanted === '') return found;
    this.#blocks.forEach((block, at) => {
      // Most blocks have none: one look through the whole string says so.
      if (found.length >= most || !block.text.toLowerCase().includes(wanted)) return;
      for (let within = 0; within < BLOCK && found.length < most; within += 1)
        if (
          this.line(at * BLOCK + within)
            .text.toLowerCase()
            .includes(wanted)
        )
          found.push(at * BLOCK + within);
    });
    this.#open.forEach((line, within) => {
      if (found.length < most && line.text.toLowerCase().includes(wanted)) found.push(this.#blocks.length * BLOCK + within);
    });
    return found;
  }

  #split(stream: LogStream, time: number, text: string): void {
    const begun = this.#begun.get(stream);
    const whole = begun === undefined ? text : begun.text + text;
    let startedAt = begun === undefined || begun.text === '' ? time : begun.time;
    let at = 0;
    while (at < whole.length) {
      const newline = whole.indexOf('\n', at);
      const end = newline < 0 ? whole.length : newline;
      if (newline < 0 && end - at <= LONGEST) break;
      const cut = Math.min(end, at + LONGEST);
      this.#add({ stream, time: startedAt, text: whole.slice(at, cut) });
      at = cut === newline ? cut + 1 : cut;
      startedAt = time;
    }
    this.#begun.set(stream, { text: whole.slice(at), time: startedAt });
  }

  #add(line: LogLine): void {
    this.#open.push(line);
    if (this.#open.length < BLOCK) return;
    const ends = new Uint32Array(BLOCK);
    let end = 0;
    this.#open.forEach((one, index) => {
      end += one.text.length;
      ends[index] = end;
    });
    this.#blocks.push({
      // Joined and cut once, so that the small strings it was made of can go.
      text: this.#open.map((one) => one.text).join(''),
      ends,
      streams: Uint8Array.from(this.#open, (one) => STREAMS.indexOf(one.stream)),
      times: Float64Array.from(this.#open, (one) => one.time),
    });
    this.#open = [];
  }
}
