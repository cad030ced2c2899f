/** When tasks started, in their order: asked for by number, so that an answer cannot be missed by whoever asks late. */
export interface Starts {
  /** The next task starts now. */
  note(): void;
  /** @returns the machine's steady clock (`process.hrtime`, the same for all its processes) at the start of this number, from 1, ns */
  at(number: number): Promise<string>;
}

export function recordStarts(): Starts {
  const times: string[] = [];
  const waiting = new Map<number, (time: string) => void>();
  return {
    note() {
      const time = String(process.hrtime.bigint());
      times.push(time);
      waiting.get(times.length)?.(time);
      waiting.delete(times.length);
    },
    async at(number) {
      return times[number - 1] ?? (await new Promise((resolve) => waiting.set(number, resolve)));
    },
  };
}
