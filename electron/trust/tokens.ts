import { hash as digest, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { invalid, LanyardError } from '../../shared/errors.ts';
import { type Role, roleSchema, type TokenInfo, TRUST_LIMITS, tokenInfoSchema } from '../../shared/trust.ts';
import { replaceFile } from '../disk.ts';
import type { Authenticator } from '../ports/trust.ts';

const PREFIX = 'lyd_';
/** The last use is kept to the hour: a write for every request would wear the disk for nothing. */
const LAST_USE_STEP_MS = 3_600_000;

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);
const subjectSchema = z.string().min(1).max(200);

/** The first form of the file, of tokens that never expired; read for ever, written no more. */
const version1Schema = z.object({
  version: z.literal(1),
  tokens: z.array(z.object({ sha256: sha256Schema, subject: subjectSchema, role: roleSchema })),
});
const storedTokenSchema = tokenInfoSchema.omit({ id: true }).extend({
  sha256: sha256Schema,
  name: z.string().min(1).max(200),
  subject: subjectSchema,
});
type StoredToken = z.infer<typeof storedTokenSchema>;
const version2Schema = z.object({ version: z.literal(2), tokens: z.array(storedTokenSchema) });

/** Bearer tokens: 256 random bits each, of which only the SHA-256 is kept. */
export interface Tokens extends Authenticator {
  /**
   * Makes a token and stores its hash before it returns. The token itself is never stored here.
   * @param options `lifeMs`: 90 days if not given; null: it never expires
   * @throws LanyardError TOO_MANY, or INVALID for a name that is empty or too long
   */
  create(subject: string, role: Role, options?: { readonly name?: string; readonly lifeMs?: number | null }): Promise<string>;
  /** Newest first; expired ones too, until they are forgotten. */
  list(): readonly TokenInfo[];
  /** @returns what was revoked, or undefined for an unknown id. From the call on the token is nobody's; when it resolves, that is on disk. */
  revoke(id: string): Promise<TokenInfo | undefined>;
  /** Resolves when nothing is left to write. */
  close(): Promise<void>;
}

/**
 * Opens the file of token hashes, or starts a new one.
 * @throws LanyardError INVALID when the file is not one of ours: better no start than an open door
 */
export async function openTokens(path: string, wallMs: () => number = Date.now): Promise<Tokens> {
  const known = new Map((await read(path)).map((token) => [token.sha256, token]));
  let saving: Promise<void> = Promise.resolve();

  const save = (): Promise<void> => {
    const write = () => replaceFile(path, JSON.stringify({ version: 2, tokens: [...known.values()] }, null, 2));
    saving = saving.then(write, write);
    return saving;
  };
  const noteUse = (token: StoredToken) => {
    if (token.lastUsedAt !== null && Math.abs(wallMs() - token.lastUsedAt) < LAST_USE_STEP_MS) return;
    known.set(token.sha256, { ...token, lastUsedAt: Math.floor(wallMs()) });
    // A last use that could not be written is no reason to turn its owner away; the next change writes it.
    save().catch(() => undefined);
  };

  return {
    // The look-up is by the hash of what was presented, so its duration says nothing about the stored tokens.
    authenticate(presented) {
      const token = known.get(hash(presented));
      if (token === undefined || isExpired(token, wallMs())) return undefined;
      noteUse(token);
      return { subject: token.subject, roles: [token.role] };
    },
    async create(subject, role, { name = subject, lifeMs = TRUST_LIMITS.tokenMs } = {}) {
      const createdAt = Math.floor(wallMs());
      for (const [sha256, token] of known) if (isExpired(token, createdAt)) known.delete(sha256);
      if (known.size >= TRUST_LIMITS.tokens)
        throw new LanyardError({ code: 'TOO_MANY', message: 'There are too many tokens.', hint: 'Revoke some that are not used.' });
      const token = PREFIX + randomBytes(32).toString('base64url');
      const sha256 = hash(token);
      const expiresAt = lifeMs === null ? null : createdAt + lifeMs;
      // What the next start would refuse to read is not written.
      const made = storedTokenSchema.safeParse({ sha256, name, subject, role, createdAt, expiresAt, lastUsedAt: null });
      if (!made.success) throw invalid(made.error, 'This token');
      known.set(sha256, made.data);
      await save();
      return token;
    },
    list: () => [...known.values()].map(infoOf).sort((left, right) => right.createdAt - left.createdAt),
    async revoke(id) {
      const token = [...known.values()].find(({ sha256 }) => idOf(sha256) === id);
      if (token === undefined) return undefined;
      known.delete(token.sha256);
      await save();
      return infoOf(token);
    },
    close: () => saving.catch(() => undefined),
  };
}

function infoOf({ sha256, ...token }: StoredToken): TokenInfo {
  return { id: idOf(sha256), ...token };
}

function idOf(sha256: string): string {
  return sha256.slice(0, 12);
}

function isExpired({ expiresAt }: StoredToken, nowMs: number): boolean {
  return expiresAt !== null && nowMs >= expiresAt;
}

function hash(token: string): string {
  return digest('sha256', token);
}

async function read(path: string): Promise<StoredToken[]> {
  try {
    const file = z.discriminatedUnion('version', [version1Schema, version2Schema]).parse(JSON.parse(await readFile(path, 'utf8')));
    if (file.version === 2) return file.tokens;
    return file.tokens.map((token) => ({ ...token, name: token.subject, createdAt: 0, expiresAt: null, lastUsedAt: null }));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new LanyardError(
      {
        code: 'INVALID',
        message: `The token file ${path} cannot be read.`,
        hint: 'Restore it from a backup, or remove it to make new tokens.',
      },
      { cause },
    );
  }
}
