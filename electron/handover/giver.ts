import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { LanyardError } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import type { HandoverManifest, HandoverState, SignedRoster } from '../../shared/trust.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';
import type { Handover, Identity } from '../ports/trust.ts';
import { DATABASE, DATABASE_COPY, isMovable, listFiles } from './files.ts';

export interface GiverOptions {
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asks the device to take over. @throws LanyardError NOT_FOUND or CONFLICT when it cannot be asked */
  readonly ask: (device: NodeId, by: Identity) => void;
  /** From where the device is connected; null where nobody knows. */
  readonly hostOf: (device: NodeId) => string | null;
  /** Commits what is pending and stops all change. @param to the device that is about to coordinate */
  readonly freeze: (to: NodeId, by: Identity) => Promise<void>;
  /** Writes a copy of the database. */
  readonly copyDatabase: (path: string) => Promise<void>;
  /** Goes on after `freeze`. */
  readonly thaw: () => void;
  /** Signs and keeps the roster with the new coordinator, and then tells the workers where it is. @returns what the device needs to follow */
  readonly move: (device: NodeId, address: string, by: Identity) => Promise<readonly SignedRoster[]>;
  /** How long the other device may be silent (ms). */
  readonly silenceMs?: number;
}

const SILENCE_MS = 120_000;
const NOTHING: HandoverState = {
  phase: 'none',
  to: null,
  host: null,
  doneBytes: 0,
  totalBytes: 0,
  message: 'Nothing is being handed over.',
};

/**
 * The coordinator that gives up its place. The other device copies what only grows while the farm works; then the farm stands still
 * for as long as the rest takes. The new roster is the turning point: before it is on disk here, this device coordinates;
 * after it, the other one does, whatever breaks. Until `move` has run nothing is lost by giving up, and so it gives up when
 * the other device says nothing for a while.
 */
export function createGiver(options: GiverOptions): Handover {
  const { dataFolder, clock, logger } = options;
  let state: HandoverState = NOTHING;
  let giveUp: Dispose = () => undefined;
  let asker: Identity | undefined;
  /** While the farm is being brought to a stand, it can be given up, but not yet set going again. */
  let isStopping = false;
  /** From here on the new roster may be on disk. */
  let isMoving = false;

  const hear = () => {
    giveUp();
    giveUp = clock.after(options.silenceMs ?? SILENCE_MS, () => fail('the other device fell silent'));
  };
  const fail = (reason: string) => {
    giveUp();
    if (isMoving || state.phase === 'done' || state.phase === 'failed') return;
    const wasFrozen = state.phase === 'frozen';
    state = { ...state, phase: 'failed', message: `Coordination stays here: ${reason}.` };
    if (wasFrozen && !isStopping) goOn();
    logger.warn('coordination was not handed over', { to: state.to, reason });
  };
  const goOn = () => {
    options.thaw();
    rm(join(dataFolder, DATABASE_COPY), { force: true }).catch(() => undefined);
  };
  const stopFarm = async (to: NodeId, by: Identity) => {
    isStopping = true;
    try {
      await options.freeze(to, by);
      await options.copyDatabase(join(dataFolder, DATABASE_COPY));
    } finally {
      isStopping = false;
    }
    // Given up while it was stopping.
    if (!isUnderWay()) throw new LanyardError({ code: 'CONFLICT', message: state.message });
  };
  const isUnderWay = () => state.phase === 'asked' || state.phase === 'copying' || state.phase === 'frozen';
  /** @throws LanyardError FORBIDDEN */
  const admit = (by: Identity) => {
    if (by.device === undefined || by.device !== state.to || !isUnderWay())
      throw new LanyardError({ code: 'FORBIDDEN', message: 'coordination is not being handed over to you' });
    hear();
    return by.device;
  };
  /** @throws LanyardError CONFLICT */
  const assertNotMoving = () => {
    if (isMoving)
      throw new LanyardError({
        code: 'CONFLICT',
        message: 'It is too late: the other device is about to coordinate.',
        hint: '`lanyard coordinator move` brings coordination back from there',
      });
  };
  const databaseCopy = () => (state.phase === 'frozen' ? join(dataFolder, DATABASE_COPY) : undefined);
  const counted = async (): Promise<HandoverManifest> => {
    const manifest = await listFiles(dataFolder, databaseCopy());
    const totalBytes = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
    state = { ...state, totalBytes, doneBytes: Math.min(state.doneBytes, totalBytes) };
    return manifest;
  };

  return {
    get state() {
      return state;
    },
    begin(device, by) {
      if (isUnderWay()) throw new LanyardError({ code: 'CONFLICT', message: `Coordination is being handed over to ${state.to} already.` });
      if (isStopping) throw new LanyardError({ code: 'CONFLICT', message: 'A move is being taken back.', hint: 'Try again soon.' });
      options.ask(device, by);
      asker = by;
      state = { ...NOTHING, phase: 'asked', to: device, host: options.hostOf(device), message: 'The other device was asked.' };
      hear();
      return state;
    },
    async manifest(by) {
      admit(by);
      if (state.phase === 'asked') state = { ...state, phase: 'copying', message: 'Copying while the farm works.' };
      return counted();
    },
    async file(by, path, offset) {
      admit(by);
      if (!isMovable(path)) throw new LanyardError({ code: 'NOT_FOUND', field: 'path', message: 'no such file is handed over' });
      const copy = databaseCopy();
      const at = path === DATABASE ? copy : join(dataFolder, path);
      const found = at === undefined ? undefined : await stat(at).catch(() => undefined);
      if (at === undefined || !found?.isFile())
        throw new LanyardError({ code: 'NOT_FOUND', field: 'path', message: 'no such file is handed over' });
      const bytes = Math.max(0, found.size - offset);
      if (bytes === 0) return { bytes, content: Readable.from([]) };
      const content = createReadStream(at, { start: offset, end: found.size - 1 });
      content.on('data', (chunk) => {
        state = { ...state, doneBytes: Math.min(state.totalBytes, state.doneBytes + chunk.length) };
        hear();
      });
      return { bytes, content };
    },
    async freeze(by) {
      const to = admit(by);
      if (state.phase !== 'frozen') {
        state = { ...state, phase: 'frozen', message: 'The farm stands still while the rest is copied.' };
        try {
          await stopFarm(to, asker ?? by);
        } catch (error) {
          if (isUnderWay()) fail((error as Error).message);
          else goOn();
          throw error;
        }
      }
      return counted();
    },
    async complete(by, peerAddress) {
      const device = admit(by);
      if (state.phase !== 'frozen') throw new LanyardError({ code: 'CONFLICT', message: 'freeze comes before complete' });
      if (isStopping || isMoving) throw new LanyardError({ code: 'CONFLICT', message: 'what was asked for before is still being done' });
      giveUp();
      let chain: readonly SignedRoster[];
      isMoving = true;
      try {
        chain = await options.move(device, peerAddress, asker ?? by);
      } catch (error) {
        isMoving = false;
        // The new roster is not on disk, so nothing has moved.
        fail((error as Error).message);
        throw error;
      }
      isMoving = false;
      state = { ...state, phase: 'done', doneBytes: state.totalBytes, message: 'The other device coordinates now.' };
      logger.info('coordination was handed over', { to: device, address: peerAddress });
      await rm(join(dataFolder, DATABASE_COPY), { force: true });
      return chain;
    },
    abandon(by, reason) {
      admit(by);
      assertNotMoving();
      fail(`the other device gave up: ${reason}`);
    },
    cancel(by) {
      if (!isUnderWay()) throw new LanyardError({ code: 'CONFLICT', message: 'Coordination is not being handed over.' });
      assertNotMoving();
      fail(`${by.subject} took the move back`);
      return state;
    },
  };
}
