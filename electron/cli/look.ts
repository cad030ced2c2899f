import { type LanReading, probeLan } from '../discovery/probes.ts';
import { createClock } from '../machine/clock.ts';
import { createLogger } from '../machine/logger.ts';
import type { Settings } from './settings.ts';

/** Whoever is there is heard within two seconds; a bit more for a lost packet. */
const LOOK_MS = 2_500;

/** Looks around on the local network without announcing anything, on the interfaces that the settings leave. */
export function lookAround({ worker: { interfaces } }: Pick<Settings, 'worker'>): Promise<LanReading> {
  const logger = createLogger({ level: 'error' });
  return probeLan({ clock: createClock(), logger, ...(interfaces.length === 0 ? {} : { only: interfaces }) }, LOOK_MS);
}
