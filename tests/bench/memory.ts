import { type Bench, valueRow } from './bench.ts';
import type { MemoryAnswer, MemoryOptions } from './programs/memory.ts';
import { startProgram } from './programs.ts';

const TASKS = 1_000_000;

/** Bytes that the core holds for each waiting task. */
export const memory: Bench = {
  name: 'memory',
  async run() {
    const separate = await grownBy({ jobs: TASKS, tasksPerJob: 1 });
    const array = await grownBy({ jobs: 1, tasksPerJob: TASKS });
    return [
      valueRow('a task, 1 M separate jobs, heap', 'bytes', separate.heapBytes / TASKS, { most: 256 }),
      valueRow('a task, 1 M separate jobs, resident at rest', 'bytes', separate.residentBytes / TASKS, { most: 256 }),
      valueRow('a task, one array job of 1 M, heap', 'bytes', array.heapBytes / TASKS, { most: 32 }),
      valueRow('a task, one array job of 1 M, resident at rest', 'bytes', array.residentBytes / TASKS, { most: 32 }),
    ];
  },
};

async function grownBy(options: MemoryOptions): Promise<MemoryAnswer> {
  const program = startProgram<object, MemoryAnswer>(new URL('./programs/memory.ts', import.meta.url), options, ['--expose-gc']);
  try {
    return await program.ask({});
  } finally {
    await program.end();
  }
}
