import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureEngine } from '../integration/support/engine.ts';
import type { Bench, Row } from './bench.ts';
import { containers, fastStart } from './containers.ts';
import { desktop } from './desktop.ts';
import { latency } from './latency.ts';
import { logs } from './logs.ts';
import { machineFacts } from './machine.ts';
import { memory } from './memory.ts';
import { placement, stalls } from './placement.ts';
import { type Figures, tableLines, writeTable } from './report.ts';
import { screens } from './screens.ts';
import { submissions } from './submissions.ts';
import { throughput } from './throughput.ts';
import { wide } from './wide.ts';

/**
 * Measures what `docs/performance.md` tells, against what others take for the same. Exits with 0 also when an aim is
 * missed: a measurement depends on its machine. A bench that fails does not keep the others from running, but ends in 1.
 *
 * Usage: npm run bench -- [--only NAME]... [--quick] [--json FILE]
 *        npm run bench -- --render FILE      puts the figures of a `--json` file into docs/performance.md
 */
const BENCHES: readonly Bench[] = [
  throughput,
  submissions,
  latency,
  placement,
  wide,
  stalls,
  memory,
  containers,
  fastStart,
  logs,
  screens,
  desktop,
];

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    render: { type: 'string' },
  },
});

const DOCUMENT = join(import.meta.dirname, '../../docs/performance.md');
const ROUNDS = { quick: 3, whole: 5 };

async function measure(chosen: readonly Bench[]): Promise<Figures> {
  const begin = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-bench-'));
  const engine = chosen.some((bench) => bench.engine) ? await ensureEngine() : undefined;
  try {
    const facts = await machineFacts(folder);
    const benches: Figures['benches'][number][] = [];
    for (const [position, bench] of chosen.entries()) {
      const seconds = Math.round((performance.now() - begin) / 1_000);
      console.error(`[${position + 1}/${chosen.length}] ${bench.name} (after ${seconds} s)`);
      const rows = await measureOne(bench, folder);
      benches.push({ name: bench.name, rows });
      console.log(
        tableLines([{ name: bench.name, rows }])
          .slice(position === 0 ? 0 : 2)
          .join('\n'),
      );
    }
    return { ...facts, quick: values.quick, benches };
  } finally {
    await engine?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureOne(bench: Bench, folder: string): Promise<Row[]> {
  try {
    return await bench.run({ quick: values.quick, rounds: values.quick ? ROUNDS.quick : ROUNDS.whole, folder });
  } catch (error) {
    console.error(`${bench.name} failed: ${error instanceof Error ? error.stack : String(error)}`);
    process.exitCode = 1;
    return [];
  }
}

if (values.render !== undefined) {
  await writeTable(DOCUMENT, values.render);
} else {
  const chosen = BENCHES.filter(({ name }) => values.only?.includes(name) ?? true);
  if (chosen.length === 0) throw new Error(`There is no such bench. There are: ${BENCHES.map(({ name }) => name).join(', ')}.`);
  const figures = await measure(chosen);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
}
