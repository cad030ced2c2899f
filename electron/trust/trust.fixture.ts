import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { SignedRoster } from '../../shared/trust.ts';
import type { Logger } from '../ports/system.ts';
import { createFarm, createFarmKey } from './farm.ts';
import { type DeviceIdentity, openIdentity } from './identity.ts';

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trust-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

export async function makeIdentity(): Promise<DeviceIdentity> {
  const folder = await mkdtemp(join(tmpdir(), 'trust-'));
  try {
    return await openIdentity(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A clock that moves by hand. */
export function handClock() {
  const clock = { elapsed: 1_000, wall: Date.UTC(2026, 0, 1), elapsedMs: () => clock.elapsed, wallMs: () => clock.wall };
  return clock;
}

export function farmOf(device: DeviceIdentity): SignedRoster {
  return createFarm({
    farmKey: createFarmKey(),
    name: 'studio',
    device: { name: 'first', certificate: device.certificate },
    works: false,
    nowMs: 1,
  });
}
