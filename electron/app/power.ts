import { powerMonitor } from 'electron';
import type { OwnerSenses } from '../ports/machine.ts';

/** What the system says of people and mains: better than what a program without a window can find out. */
export interface Power {
  readonly senses: Partial<OwnerSenses>;
  /** @param changed the senses would answer differently now; @param shutdown the machine shuts down, or its user logs out */
  watch(listeners: { changed(): void; shutdown(): void }): void;
}

export function openPower(): Power {
  let onBattery = powerMonitor.isOnBatteryPower();
  return {
    senses: {
      userIdleMs: async () => powerMonitor.getSystemIdleTime() * 1_000,
      onBattery: async () => onBattery,
    },
    watch({ changed, shutdown }) {
      const supply = (isBattery: () => boolean) => () => {
        onBattery = isBattery();
        changed();
      };
      powerMonitor.on(
        'on-battery',
        supply(() => true),
      );
      powerMonitor.on(
        'on-ac',
        supply(() => false),
      );
      // The supply may have changed while the machine slept.
      powerMonitor.on(
        'resume',
        supply(() => powerMonitor.isOnBatteryPower()),
      );
      powerMonitor.on('lock-screen', changed);
      powerMonitor.on('unlock-screen', changed);
      powerMonitor.on('shutdown', shutdown);
    },
  };
}
