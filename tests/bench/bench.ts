import type { Compared } from './statistics.ts';

/** What a measurement is held to: its ratio to what it is compared with, or its own value. */
export interface Aim {
  readonly of: 'ratio' | 'value';
  readonly least?: number;
  readonly most?: number;
}

/** One measured figure. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  /** Null where nothing is compared. */
  readonly theirs: number | null;
  readonly ratio: number | null;
  readonly aim: Aim | null;
}

export interface BenchContext {
  /** Fewer and smaller rounds, for a look and not for the book. */
  readonly quick: boolean;
  readonly rounds: number;
  /** A folder on the disk that is measured; removed afterwards. */
  readonly folder: string;
}

export interface Bench {
  readonly name: string;
  /** It needs a container engine. */
  readonly engine?: true;
  run(context: BenchContext): Promise<Row[]>;
}

export function comparedRow(name: string, unit: string, compared: Compared, aim: Omit<Aim, 'of'>): Row {
  return { name, unit, ...compared, aim: { of: 'ratio', ...aim } };
}

export function valueRow(name: string, unit: string, ours: number, aim: Omit<Aim, 'of'> | null): Row {
  return { name, unit, ours, theirs: null, ratio: null, aim: aim === null ? null : { of: 'value', ...aim } };
}

/** @returns undefined for a figure that is held to nothing */
export function isMet({ aim, ours, ratio }: Row): boolean | undefined {
  if (aim === null) return undefined;
  const value = aim.of === 'ratio' ? ratio : ours;
  if (value === null) throw new Error('an aim for a ratio needs one');
  return value >= (aim.least ?? Number.NEGATIVE_INFINITY) && value <= (aim.most ?? Number.POSITIVE_INFINITY);
}
