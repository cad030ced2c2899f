import type { BlobId } from '../../shared/ids.ts';
import type { Blobs } from '../ports/files.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';

/** How often blobs that nobody names are looked for, and how old they must be (ms). */
const EVERY_MS = 3_600_000;
const OLDER_MS = 24 * 3_600_000;

/**
 * Removes blobs and half transfers that nobody needs any more, every hour.
 * @param referenced names those that stay however old they are
 */
export function startBlobSweeps(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly blobs: Blobs;
  readonly referenced: () => ReadonlySet<BlobId>;
}): Dispose {
  const { clock, logger, blobs, referenced } = options;
  let stopped = false;
  const sweep = async (): Promise<void> => {
    try {
      const bytes = await blobs.sweep(referenced(), OLDER_MS);
      logger.info('swept blobs that nobody names', { bytes });
    } catch (error) {
      logger.warn('blobs could not be swept', { error: (error as Error).message });
    }
    if (!stopped) stop = clock.after(EVERY_MS, () => void sweep());
  };
  let stop = clock.after(EVERY_MS, () => void sweep());
  return () => {
    stopped = true;
    stop();
  };
}
