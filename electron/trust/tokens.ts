import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { LanyardError } from '../../shared/errors.ts';
import type { Authenticator, Identity, Role } from '../ports.ts';

const PREFIX = 'lyd_';

const fileSchema = z.object({
  version: z.literal(1),
  tokens: z.array(
    z.object({
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      subject: z.string().min(1).max(200),
      role: z.enum(['viewer', 'submitter', 'worker', 'admin']),
    }),
  ),
});

/** Bearer tokens: 256 random bits each, of which only the SHA-256 is kept. */
export interface Tokens extends Authenticator {
  /** Makes a token and stores its hash before it returns. The token itself is never stored here. */
  create(subject: string, role: Role): Promise<string>;
}

/**
 * Opens the file of token hashes, or starts a new one.
 * @throws LanyardError INVALID when the file is not one of ours: better no start than an open door
 */
export async function openTokens(path: string): Promise<Tokens> {
  const known = new Map<string, Identity>();
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text !== undefined) for (const { sha256, subject, role } of parse(text, path)) known.set(sha256, { subject, role });

  const save = async () => {
    const tokens = [...known].map(([sha256, { subject, role }]) => ({ sha256, subject, role }));
    const temporary = `${path}.new`;
    await writeFile(temporary, JSON.stringify({ version: 1, tokens }, null, 2), { mode: 0o600, flush: true });
    await rename(temporary, path);
  };

  return {
    // The look-up is by the hash of what was presented, so its duration says nothing about the stored tokens.
    authenticate: (token) => known.get(hash(token)),
    async create(subject, role) {
      const token = PREFIX + randomBytes(32).toString('base64url');
      known.set(hash(token), { subject, role });
      await save();
      return token;
    },
  };
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function parse(text: string, path: string): z.infer<typeof fileSchema>['tokens'] {
  try {
    return fileSchema.parse(JSON.parse(text)).tokens;
  } catch (cause) {
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
