/** @returns the value below which the share `fraction` (0 to 1) of the samples lies: nearest rank */
export function percentile(samples: readonly number[], fraction: number): number {
  const ordered = [...samples].sort((sample, other) => sample - other);
  const value = ordered[Math.max(0, Math.ceil(fraction * ordered.length) - 1)];
  if (value === undefined) throw new Error('there are no samples');
  return value;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

export interface Compared {
  readonly ours: number;
  readonly theirs: number;
  /** Of ours to theirs, by the round. */
  readonly ratio: number;
}

/**
 * Measures two things in turn, so that whatever else slows the machine meets both, and who goes first changes by the round.
 * @returns the medians of each and of the rounds' ratios
 */
export async function compare(rounds: number, ours: () => Promise<number>, theirs: () => Promise<number>): Promise<Compared> {
  const results: { ours: number; theirs: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) {
      const first = await ours();
      results.push({ ours: first, theirs: await theirs() });
    } else {
      const first = await theirs();
      results.push({ ours: await ours(), theirs: first });
    }
  }
  return {
    ours: median(results.map((result) => result.ours)),
    theirs: median(results.map((result) => result.theirs)),
    ratio: median(results.map((result) => result.ours / result.theirs)),
  };
}

/** As `compare`, after a round of each that does not count: compiled code, and files that have grown to their size. */
export async function compareWarm(...[rounds, ours, theirs]: Parameters<typeof compare>): Promise<Compared> {
  await compare(1, ours, theirs);
  return await compare(rounds, ours, theirs);
}
