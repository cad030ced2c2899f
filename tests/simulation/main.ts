import { parseArgs } from 'node:util';
import { type SimulationResult, simulate } from './simulation.ts';

const PROGRESS_EVERY_MS = 5_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    verbose: { type: 'boolean', default: false },
  },
});

const first = wholeNumber(values.seed ?? values.from);
const count = values.seed === undefined ? wholeNumber(values.seeds) : 1;
const options = values.verbose ? { print: (line: string) => console.log(line) } : {};
const counts = new Map<string, number>();
const failed: number[] = [];
const startedAt = performance.now();
let events = 0;
let jobs = 0;
let progressAt = startedAt + PROGRESS_EVERY_MS;

for (let seed = first; seed < first + count; seed++) {
  const result = simulate(seed, options);
  events += result.events;
  jobs += result.jobs;
  for (const [kind, times] of result.counts) counts.set(kind, (counts.get(kind) ?? 0) + times);
  if (result.violation !== undefined) report(result, result.violation);
  if (performance.now() > progressAt) {
    process.stderr.write(`${seed - first + 1} of ${count} seeds, ${events} events, ${failed.length} violations\n`);
    progressAt = performance.now() + PROGRESS_EVERY_MS;
  }
}

const seconds = (performance.now() - startedAt) / 1000;
for (const [kind, times] of [...counts].sort(([left], [right]) => left.localeCompare(right))) console.log(`  ${times} x ${kind}`);
console.log(`${count} seeds, ${events} events, ${jobs} jobs, ${failed.length} violations, ${seconds.toFixed(1)} s`);
if (failed.length > 0) {
  console.log(`seeds: ${failed.slice(0, 20).join(' ')}`);
  process.exitCode = 1;
}

function report({ seed }: SimulationResult, { message, event, tail }: NonNullable<SimulationResult['violation']>): void {
  failed.push(seed);
  if (failed.length > 5) return;
  for (const line of tail) console.log(`  ${line}`);
  console.log(`VIOLATION in seed ${seed} at event ${event}: ${message}`);
  console.log(`Replay with: npm run sim -- --seed ${seed} --verbose\n`);
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`"${text}" is not a seed or a number of seeds; expected a whole number`);
  return number;
}
