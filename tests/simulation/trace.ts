/** The last things that happened, for a person, and a hash of all that happened, to compare runs by. */
export class Trace {
  events = 0;
  private readonly last: string[] = [];
  private readonly print: ((line: string) => void) | undefined;
  private readonly seen = new Map<string, number>();
  private hash = 0x811c9dc5;

  constructor(print: ((line: string) => void) | undefined) {
    this.print = print;
  }

  add(timeMs: number, who: string, what: string): void {
    this.events++;
    const line = `${timeMs} ${who}: ${what}`;
    // FNV-1a over UTF-16 units.
    for (let position = 0; position < line.length; position++)
      this.hash = Math.imul(this.hash ^ line.charCodeAt(position), 0x01000193) >>> 0;
    this.last[this.events % KEPT_LINES] = line;
    this.print?.(`#${this.events} ${line}`);
  }

  /** Counts a kind of happening, to show that a run has exercised it. */
  count(kind: string): void {
    this.seen.set(kind, (this.seen.get(kind) ?? 0) + 1);
  }

  get counts(): ReadonlyMap<string, number> {
    return this.seen;
  }

  /** Eight hexadecimal digits that differ when anything went differently. */
  get digest(): string {
    return this.hash.toString(16).padStart(8, '0');
  }

  /** Oldest first. */
  tail(): string[] {
    const lines: string[] = [];
    for (let number = Math.max(1, this.events - KEPT_LINES + 1); number <= this.events; number++)
      lines.push(`#${number} ${this.last[number % KEPT_LINES]}`);
    return lines;
  }
}

const KEPT_LINES = 60;
