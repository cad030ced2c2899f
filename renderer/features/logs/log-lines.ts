import type { LogRecord, LogStream } from '../../../shared/protocol.ts';

export interface LogLine {
  readonly stream: LogStream;
  /** Wall-clock ms since 1970, of the record that began it. */
  readonly time: number;
  /** Without its end of line; as it came, escape sequences and all. */
  readonly text: string;
}

/** Lines of a block. */
const BLOCK = 1_024;
/** A longer line is broken here (bytes). */
const LONGEST = 16 * 1_024;
/** Bytes are kept in pages of this size, and never across two of them. */
const PAGE = 256 * 1_024;
const NEWLINE = 10;
const STREAMS: readonly LogStream[] = ['stdout', 'stderr', 'system'];
const NOTHING = new Uint8Array(0);

/** Where lines stand. Full, or the last one, which is still written to. */
interface Block {
  /** Address of each line's first byte, and of the byte behind its last: pages one after the other. */
  readonly begins: Uint32Array;
  readonly ends: Uint32Array;
  readonly streams: Uint8Array;
  readonly times: Float64Array;
}

/**
 * A log as lines that can be reached by number. Grows only. It keeps the bytes as they came and reads as text what is looked at: of a
 * million lines that is a screenful.
 */
export class LogLines {
  readonly #blocks: Block[] = [];
  readonly #pages: Uint8Array[] = [];
  /** Bytes taken of the last page. */
  #pageBytes = PAGE;
  #count = 0;
  readonly #decoder = new TextDecoder();
  /** The line that each stream is in the middle of. */
  readonly #begun = new Map<LogStream, { readonly bytes: Uint8Array; readonly time: number }>();

  /** Lines that are complete. */
  get count(): number {
    return this.#count;
  }

  push(records: readonly LogRecord[]): void {
    for (const { stream, time, bytes } of records) this.#split(stream, time, bytes);
  }

  /** The log has ended: what has no end of line is a line too. */
  finish(): void {
    for (const [stream, { bytes, time }] of this.#begun) if (bytes.length > 0) this.#add(stream, time, bytes, [0, bytes.length]);
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
      text: this.#text(block.begins[within] as number, block.ends[within] as number),
    };
  }

  /** The numbers of lines that hold `words` (any case), at most `most`. */
  find(words: string, most: number): number[] {
    const wanted = words.toLowerCase();
    const found: number[] = [];
    if (wanted === '') return found;
    this.#blocks.forEach((block, at) => {
      const last = Math.min(this.#count, (at + 1) * BLOCK);
      // Most blocks have none: one look through the whole of it says so.
      if (
        found.length >= most ||
        !this.#textOf(block, last - at * BLOCK)
          .toLowerCase()
          .includes(wanted)
      )
        return;
      for (let number = at * BLOCK; number < last && found.length < most; number += 1)
        if (this.line(number).text.toLowerCase().includes(wanted)) found.push(number);
    });
    return found;
  }

  #split(stream: LogStream, time: number, bytes: Uint8Array): void {
    const before = this.#begun.get(stream);
    const isMidLine = before !== undefined && before.bytes.length > 0;
    let at = 0;
    if (isMidLine) {
      const newline = bytes.indexOf(NEWLINE);
      at = newline < 0 ? bytes.length : newline + 1;
      const joined = concatenate(before.bytes, newline < 0 ? bytes : bytes.subarray(0, newline));
      const cut = newline < 0 ? wholeLines(joined) : joined.length;
      if (cut > 0 || newline >= 0) this.#add(stream, before.time, joined, piecesOf(joined, cut));
      if (newline < 0) {
        this.#begun.set(stream, { bytes: joined.slice(cut), time: cut > 0 ? time : before.time });
        return;
      }
    }
    // Begin and end of each line, and then begin and end of the next.
    const bounds: number[] = [];
    for (let newline = bytes.indexOf(NEWLINE, at); newline >= 0; newline = bytes.indexOf(NEWLINE, at)) {
      if (newline - at <= LONGEST) bounds.push(at, newline);
      else for (const bound of piecesOf(bytes.subarray(at, newline), newline - at)) bounds.push(at + bound);
      at = newline + 1;
    }
    const rest = bytes.subarray(at);
    const cut = wholeLines(rest);
    for (const bound of piecesOf(rest, cut)) bounds.push(at + bound);
    if (bounds.length > 0) this.#add(stream, time, bytes, bounds);
    this.#begun.set(stream, { bytes: rest.length === cut ? NOTHING : rest.slice(cut), time });
  }

  /** Adds lines that stand in the same bytes: as many at once as the page and the block have room for. */
  #add(stream: LogStream, time: number, bytes: Uint8Array, bounds: readonly number[]): void {
    const streamNumber = STREAMS.indexOf(stream);
    for (let next = 0; next < bounds.length; ) {
      const within = this.#count % BLOCK;
      if (within === 0) this.#blocks.push(emptyBlock());
      const block = this.#blocks.at(-1) as Block;
      const from = bounds[next] as number;
      if ((bounds[next + 1] as number) - from >= PAGE - this.#pageBytes) this.#turnPage();
      const shift = (this.#pages.length - 1) * PAGE + this.#pageBytes - from;
      const room = from + PAGE - this.#pageBytes;
      let [line, to] = [within, from];
      for (; line < BLOCK && next < bounds.length && (bounds[next + 1] as number) <= room; line += 1, next += 2) {
        to = bounds[next + 1] as number;
        block.begins[line] = (bounds[next] as number) + shift;
        block.ends[line] = to + shift;
        block.streams[line] = streamNumber;
        block.times[line] = time;
      }
      (this.#pages.at(-1) as Uint8Array).set(bytes.subarray(from, to), this.#pageBytes);
      this.#pageBytes += to - from;
      this.#count += line - within;
    }
  }

  #turnPage(): void {
    this.#pages.push(new Uint8Array(PAGE));
    this.#pageBytes = 0;
  }

  /** @param begin @param end addresses in one page */
  #text(begin: number, end: number): string {
    const page = this.#pages[Math.floor(begin / PAGE)];
    return page === undefined ? '' : this.#decoder.decode(page.subarray(begin % PAGE, (begin % PAGE) + end - begin));
  }

  #textOf({ begins, ends }: Block, lines: number): string {
    const [first, last] = [begins[0] as number, ends[lines - 1] as number];
    const parts: string[] = [];
    for (let at = first; at < last; at = (Math.floor(at / PAGE) + 1) * PAGE)
      parts.push(this.#text(at, Math.min(last, (Math.floor(at / PAGE) + 1) * PAGE)));
    return parts.join('\n');
  }
}

function emptyBlock(): Block {
  return {
    begins: new Uint32Array(BLOCK),
    ends: new Uint32Array(BLOCK),
    streams: new Uint8Array(BLOCK),
    times: new Float64Array(BLOCK),
  };
}

/** How much of a line without an end is so long that it is broken already. */
function wholeLines(bytes: Uint8Array): number {
  let at = 0;
  while (bytes.length - at > LONGEST) at = cutAt(bytes, at + LONGEST);
  return at;
}

/** Begins and ends of the pieces, none longer than `LONGEST`, of the first `length` bytes; of an empty line one empty piece. */
function piecesOf(bytes: Uint8Array, length: number): number[] {
  const bounds: number[] = [];
  let at = 0;
  for (; length - at > LONGEST; at = bounds.at(-1) as number) bounds.push(at, cutAt(bytes, at + LONGEST));
  if (length > at) bounds.push(at, length);
  return bounds;
}

/** The last place up to `at` where no character is cut (RFC 3629: what goes on begins with the bits 10). */
function cutAt(bytes: Uint8Array, at: number): number {
  let place = at;
  while (place > at - 4 && ((bytes[place] as number) & 0xc0) === 0x80) place -= 1;
  return place;
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.byteLength + second.byteLength);
  whole.set(first);
  whole.set(second, first.byteLength);
  return whole;
}
