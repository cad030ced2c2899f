import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { graphics } from 'systeminformation';
import { type Gpu, gpuSchema, type Metrics, metricsSchema } from '../../shared/node.ts';

export type GpuUse = Metrics['gpus'][number];

export interface Gpus {
  /** The graphics cards that work can be given; found once. */
  list(): Promise<readonly Gpu[]>;
  /** The last measurement; asks for a new one in the background when that is old. */
  use(): readonly GpuUse[];
}

/** Runs NVIDIA's own tool with a query of comma-separated fields. @returns its output, or undefined where there is none */
export type NvidiaQuery = (fields: string) => Promise<string | undefined>;

const USE_AGE_MS = 5_000;
/** A card with less is the processor's own, or a virtual one: no work is given to it. */
const LEAST_RAM_MB = 1_024;

/**
 * NVIDIA's cards come from `nvidia-smi`, by the UUIDs that container engines and CUDA take; other cards from
 * systeminformation, which is asked only where there are none of those, because it waits for that tool with the whole program.
 */
export function createGpus(query: NvidiaQuery = queryNvidia, others: () => Promise<readonly Gpu[]> = otherCards): Gpus {
  let found: Promise<readonly Gpu[]> | undefined;
  let nvidia = false;
  let use: readonly GpuUse[] = [];
  let measuredAtMs = Number.NEGATIVE_INFINITY;

  const find = async (): Promise<readonly Gpu[]> => {
    const cards = parseCards((await query('uuid,name,memory.total')) ?? '');
    nvidia = cards.length > 0;
    if (!nvidia) return others();
    await measure();
    return cards;
  };
  const measure = async (): Promise<void> => {
    measuredAtMs = performance.now();
    use = parseUse((await query('uuid,utilization.gpu,memory.used')) ?? '');
  };

  return {
    list() {
      found ??= find();
      return found;
    },
    use() {
      if (nvidia && performance.now() - measuredAtMs > USE_AGE_MS) void measure();
      return use;
    },
  };
}

function lines(csv: string): string[][] {
  return csv
    .split('\n')
    .map((line) => line.split(',').map((cell) => cell.trim()))
    .slice(0, 64);
}

/** Lines that are not a card (a warning, say) are left out; so is a figure that the card does not tell (`[N/A]`). */
function parseCards(csv: string): Gpu[] {
  return lines(csv).flatMap(([id, model, ram]) => {
    const card = gpuSchema.safeParse({ id, model: model?.slice(0, 200), ramMb: Math.round(figure(ram)) });
    return card.success && id?.startsWith('GPU-') ? [card.data] : [];
  });
}

function parseUse(csv: string): GpuUse[] {
  return lines(csv).flatMap(([id, load, ram]) => {
    const use = metricsSchema.shape.gpus.safeParse([{ id, loadPercent: Math.min(100, figure(load)), ramUsedMb: figure(ram) }]);
    return use.success && id?.startsWith('GPU-') ? use.data : [];
  });
}

function figure(text: string | undefined): number {
  const number = Number(text);
  return Number.isFinite(number) && number > 0 ? number : 0;
}

const run = promisify(execFile);

async function queryNvidia(fields: string): Promise<string | undefined> {
  try {
    const options = { timeout: 10_000, maxBuffer: 1_048_576, windowsHide: true };
    return (await run('nvidia-smi', [`--query-gpu=${fields}`, '--format=csv,noheader,nounits'], options)).stdout;
  } catch {
    return undefined;
  }
}

/** Cards with memory of their own, and Apple's, which share the machine's (they are those that know of Metal). */
async function otherCards(): Promise<readonly Gpu[]> {
  try {
    const { controllers } = await graphics();
    return controllers.slice(0, 64).flatMap((controller, index) => {
      const ramMb = Math.round(controller.vram ?? 0);
      const own = ramMb >= LEAST_RAM_MB && !controller.vramDynamic;
      if (!own && !controller.metalVersion) return [];
      const id = (controller.busAddress || `gpu-${index}`).slice(0, 128);
      return [{ id, model: controller.model.slice(0, 200), ramMb: Math.max(0, ramMb) }];
    });
  } catch {
    return [];
  }
}
