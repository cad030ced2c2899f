import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type AuditEntry, type AuditEvent, auditEntrySchema, TRUST_LIMITS } from '../../shared/trust.ts';
import { syncFolder } from '../disk.ts';
import { createGatheredWrite } from '../gathered-write.ts';
import type { Logger } from '../ports/system.ts';

/** Who let whom in, and who did what: lines that are appended and never changed. */
export interface Audit {
  /** Queues a line. It is on disk when `flush`, called after it, resolves. */
  record(event: AuditEvent, actor: string, about?: { readonly target?: string; readonly detail?: string }): void;
  /** Resolves when all that was recorded is on disk, or could not be written (the program's log then says so). */
  flush(): Promise<void>;
  /**
   * A page of what was recorded, newest first.
   * @param before a sequence number: only older lines
   */
  page(query: { readonly before?: number; readonly limit: number }): Promise<readonly AuditEntry[]>;
  close(): Promise<void>;
}

/** Files: `audit.jsonl` is written to; when it is full it becomes `audit.1.jsonl`, that one `audit.2.jsonl`, and the last goes. */
const FILES = 8;
const FILE_BYTES = 8 * 1024 * 1024;
/** Lines that wait for the disk; more are lost, as are those that cannot be written: their sequence numbers are missing. */
const QUEUE = 10_000;
/** Rest before a write, ms, in which lines gather: see `createGatheredWrite`. */
const REST_MS = 50;
const ACTOR_LENGTH = 200;

/** Opens the log in `folder`, which must be there. A line that a crash cut short is removed. */
export async function openAudit(options: {
  readonly folder: string;
  readonly wallMs: () => number;
  readonly logger: Logger;
  readonly fileBytes?: number;
}): Promise<Audit> {
  const { folder, wallMs, logger, fileBytes = FILE_BYTES } = options;
  const path = (index: number) => join(folder, index === 0 ? 'audit.jsonl' : `audit.${index}.jsonl`);
  let { file, bytes } = await openAppending(path(0));
  let sequence = await lastSequence(path);
  let queue: AuditEntry[] = [];
  let lost = 0;

  const rotate = async () => {
    await file.close();
    await rm(path(FILES - 1), { force: true });
    for (let index = FILES - 2; index >= 0; index -= 1) await rename(path(index), path(index + 1)).catch(unlessMissing);
    ({ file, bytes } = await openAppending(path(0)));
  };
  const write = async () => {
    const lines = queue;
    queue = [];
    const text = lines.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    try {
      if (bytes > 0 && bytes + Buffer.byteLength(text) > fileBytes) await rotate();
      await file.appendFile(text);
      await file.sync();
      bytes += Buffer.byteLength(text);
    } catch (error) {
      lost += lines.length;
      logger.error('the audit log cannot be written', { lines: lines.length, lost, error: (error as Error).message });
      // Half of a line may be there; what follows begins on a line of its own.
      await file.truncate(bytes).catch(() => undefined);
    }
  };
  const gathered = createGatheredWrite(write, REST_MS);

  return {
    record(event, actor, about = {}) {
      sequence += 1;
      if (queue.length >= QUEUE) {
        lost += 1;
        logger.error('the audit log does not keep up', { lost });
        return;
      }
      queue.push(makeEntry(sequence, wallMs(), event, actor, about));
      void gathered.soon();
    },
    flush: () => gathered.flush(),
    async page({ before = Number.POSITIVE_INFINITY, limit }) {
      await gathered.flush();
      const wanted = Math.min(limit, TRUST_LIMITS.auditPage);
      const found: AuditEntry[] = [];
      for (let index = 0; index < FILES && found.length < wanted; index += 1)
        found.push(...(await readEntries(path(index))).filter((entry) => entry.sequence < before).reverse());
      return found.slice(0, wanted);
    },
    async close() {
      await gathered.flush();
      await file.close();
    },
  };
}

function makeEntry(
  sequence: number,
  at: number,
  event: AuditEvent,
  actor: string,
  about: { readonly target?: string; readonly detail?: string },
): AuditEntry {
  return {
    sequence,
    at: Math.floor(at),
    event,
    actor: actor.slice(0, ACTOR_LENGTH),
    ...(about.target === undefined ? {} : { target: about.target.slice(0, ACTOR_LENGTH) }),
    ...(about.detail === undefined ? {} : { detail: about.detail.slice(0, TRUST_LIMITS.auditDetailLength) }),
  };
}

async function openAppending(path: string): Promise<{ file: FileHandle; bytes: number }> {
  const file = await open(path, 'a+', 0o600);
  const text = await file.readFile();
  const bytes = text.lastIndexOf(10) + 1;
  if (bytes < text.length) await file.truncate(bytes);
  await syncFolder(dirname(path));
  return { file, bytes };
}

/** The newest file may be empty, right after it was begun. */
async function lastSequence(path: (index: number) => string): Promise<number> {
  for (let index = 0; index < FILES; index += 1) {
    const last = (await readEntries(path(index))).at(-1);
    if (last !== undefined) return last.sequence;
  }
  return 0;
}

/** Oldest first. Lines that cannot be read are left out: one bad sector must not hide the rest. */
async function readEntries(path: string): Promise<AuditEntry[]> {
  const file = await open(path, 'r').catch(unlessMissing);
  if (file === undefined) return [];
  const text = await file.readFile('utf8').finally(() => file.close());
  return text.split('\n').flatMap((line) => {
    const entry = auditEntrySchema.safeParse(parseJson(line));
    return entry.success ? [entry.data] : [];
  });
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
