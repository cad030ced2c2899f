import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { NodeId } from '../../shared/ids.ts';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import { createClock } from '../machine/clock.ts';
import type { Identity } from '../ports/trust.ts';
import { DATABASE_COPY } from './files.ts';
import { createGiver } from './giver.ts';

const NORTH = 'north' as NodeId;
const ADMIN: Identity = { subject: 'ann', roles: ['admin'] };
const DEVICE: Identity = { subject: 'north', roles: ['worker'], device: NORTH };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-giver-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

/** A giver whose farm is a flag; what it does to the farm waits for `freezing` and `moving`. */
function giver(freezing: Promise<void> = Promise.resolve(), moving: Promise<void> = Promise.resolve()) {
  const farm = { stands: false };
  const handover = createGiver({
    dataFolder: folder,
    clock: createClock(),
    logger: silentLogger,
    ask() {},
    hostOf: () => '10.0.0.7',
    async freeze() {
      await freezing;
      farm.stands = true;
    },
    copyDatabase: (path) => writeFile(path, 'database'),
    thaw() {
      farm.stands = false;
    },
    async move() {
      await moving;
      return [];
    },
  });
  return { farm, handover };
}

const hasCopy = () =>
  stat(join(folder, DATABASE_COPY)).then(
    () => true,
    () => false,
  );

describe('a move is taken back', () => {
  test('when the other device was asked, and it gets nothing any more', async () => {
    const { handover } = giver();
    expect(() => handover.cancel(ADMIN)).toThrow('is not being handed over');
    expect(handover.begin(NORTH, ADMIN)).toMatchObject({ phase: 'asked', host: '10.0.0.7' });
    await handover.manifest(DEVICE);
    expect(handover.cancel(ADMIN)).toMatchObject({ phase: 'failed', message: 'Coordination stays here: ann took the move back.' });
    await expect(handover.manifest(DEVICE)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(handover.freeze(DEVICE)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(handover.begin(NORTH, ADMIN)).toMatchObject({ phase: 'asked' });
  });

  test('while the farm stands still: it goes on', async () => {
    const { farm, handover } = giver();
    handover.begin(NORTH, ADMIN);
    await handover.freeze(DEVICE);
    expect(farm.stands).toBe(true);
    handover.cancel(ADMIN);
    expect(farm.stands).toBe(false);
    await expect.poll(hasCopy).toBe(false);
    await expect(handover.complete(DEVICE, 'north:7421')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('while the farm is being brought to a stand: it goes on when it stands, and not before', async () => {
    const freezing = Promise.withResolvers<void>();
    const { farm, handover } = giver(freezing.promise);
    handover.begin(NORTH, ADMIN);
    const frozen = handover.freeze(DEVICE);
    expect(handover.cancel(ADMIN).phase).toBe('failed');
    expect(() => handover.begin(NORTH, ADMIN)).toThrow('being taken back');
    freezing.resolve();
    await expect(frozen).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(farm.stands).toBe(false);
    await expect.poll(hasCopy).toBe(false);
    expect(handover.begin(NORTH, ADMIN)).toMatchObject({ phase: 'asked' });
  });

  test('not any more when the turning point has come', async () => {
    const moving = Promise.withResolvers<void>();
    const { handover } = giver(undefined, moving.promise);
    handover.begin(NORTH, ADMIN);
    await handover.freeze(DEVICE);
    const complete = handover.complete(DEVICE, 'north:7421');
    expect(() => handover.cancel(ADMIN)).toThrow('too late');
    expect(() => handover.abandon(DEVICE, 'it thinks better of it')).toThrow('too late');
    moving.resolve();
    await complete;
    expect(handover.state.phase).toBe('done');
    expect(() => handover.cancel(ADMIN)).toThrow('is not being handed over');
  });

  test('also when the move could not be written: then coordination stays by itself', async () => {
    const moving = Promise.withResolvers<void>();
    const { farm, handover } = giver(undefined, moving.promise);
    handover.begin(NORTH, ADMIN);
    await handover.freeze(DEVICE);
    const complete = handover.complete(DEVICE, 'north:7421');
    moving.reject(new Error('the disk is full'));
    await expect(complete).rejects.toThrow('the disk is full');
    expect([handover.state.phase, farm.stands]).toEqual(['failed', false]);
  });
});
