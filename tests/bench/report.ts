import { readFile, writeFile } from 'node:fs/promises';
import { type Aim, isMet, type Row } from './bench.ts';
import type { MachineFacts } from './machine.ts';

/** What `--json` writes. */
export interface Figures extends MachineFacts {
  readonly quick: boolean;
  readonly benches: readonly { readonly name: string; readonly rows: readonly Row[] }[];
}

const BEGIN = '<!-- figures: npm run bench -- --json FILE, then npm run bench -- --render FILE, then npm run format -->';
const END = '<!-- end of figures -->';

/** @returns a table in Markdown, its two lines of heading first */
export function tableLines(benches: Figures['benches']): string[] {
  const heading = ['bench', 'what', 'ours', 'theirs', 'ratio', 'aim', 'verdict'];
  const lines = benches.flatMap(({ name, rows }) => rows.map((row) => cells(name, row)));
  return [heading, heading.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`);
}

/** Puts the figures of a `--json` file between the two marks of the document. */
export async function writeTable(document: string, figuresFile: string): Promise<void> {
  const figures = JSON.parse(await readFile(figuresFile, 'utf8')) as Figures;
  const text = await readFile(document, 'utf8');
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${document} lacks the marks between which the figures go`);
  const facts = Object.entries(figures.machine).map(([name, value]) => `${name} ${value}`);
  const made = [`Measured ${figures.date}${figures.quick ? ' (quick)' : ''} on: ${facts.join('; ')}.`, '', ...tableLines(figures.benches)];
  await writeFile(document, `${text.slice(0, begin)}${BEGIN}\n\n${made.join('\n')}\n\n${text.slice(end)}`);
}

function cells(bench: string, row: Row): string[] {
  const met = isMet(row);
  return [
    bench,
    row.name,
    `${readable(row.ours)} ${row.unit}`,
    row.theirs === null ? '' : `${readable(row.theirs)} ${row.unit}`,
    row.ratio === null ? '' : row.ratio.toFixed(2),
    row.aim === null ? '' : aimText(row.aim, row.unit),
    met === undefined ? '' : met ? 'met' : '**missed**',
  ];
}

function aimText(aim: Aim, unit: string): string {
  const what = aim.of === 'ratio' ? 'x' : ` ${unit}`;
  return aim.least === undefined ? `<= ${aim.most}${what}` : `>= ${aim.least}${what}`;
}

/** Three digits that count. */
function readable(value: number): string {
  if (value >= 1_000) return Math.round(Number(value.toPrecision(3))).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
