import type { Logger } from '../ports/system.ts';

/** Images without a program that sleeps that are remembered; beyond it all are forgotten. */
const UNFIT_AT_MOST = 1_000;

/** A warm container whose network namespace (with no network in it) one task after the other joins. */
export interface Holder {
  readonly container: string;
}

/** How holders are made and ended; the engine's side. */
export interface HolderEngine {
  /** @returns the running container, or undefined when the image has nothing that sleeps */
  start(image: string): Promise<string | undefined>;
  remove(container: string): void;
}

/**
 * Making a network namespace is a large part of starting a container, and one without a network is as good as another.
 * So up to one holder per slot stays warm: tasks that follow each other share it, tasks that run at the same time never
 * do. A task that finds none free starts the plain way while one is made for the next.
 */
export interface Holders {
  /** A holder for one task alone, until `release` or `discard`. */
  take(image: string): Holder | undefined;
  release(holder: Holder): void;
  /** It has died: it is removed, and the next task has another made. */
  discard(holder: Holder): void;
  close(): Promise<void>;
}

export function createHolders(slots: number, engine: HolderEngine, logger: Logger): Holders {
  const free: Holder[] = [];
  const unfit = new Set<string>();
  let living = 0;
  let making: Promise<void> | undefined;
  let closed = false;

  const make = async (image: string): Promise<void> => {
    living += 1;
    try {
      const container = await engine.start(image);
      if (container !== undefined && !closed) {
        free.push({ container });
        return;
      }
      if (container !== undefined) engine.remove(container);
      else rememberUnfit(image);
    } catch (error) {
      logger.debug('A holder container could not be started', { image, error: String(error) });
    }
    living -= 1;
  };

  const rememberUnfit = (image: string) => {
    if (unfit.size >= UNFIT_AT_MOST) unfit.clear();
    unfit.add(image);
  };

  return {
    take(image) {
      const holder = free.pop();
      if (holder !== undefined) return holder;
      if (!closed && making === undefined && living < slots && !unfit.has(image)) {
        making = make(image).finally(() => {
          making = undefined;
        });
      }
      return undefined;
    },
    release(holder) {
      if (!closed) free.push(holder);
      else engine.remove(holder.container);
    },
    discard(holder) {
      living -= 1;
      engine.remove(holder.container);
    },
    async close() {
      closed = true;
      await making;
      for (const holder of free.splice(0)) engine.remove(holder.container);
    },
  };
}
