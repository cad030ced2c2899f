import { request } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { z } from 'zod';
import { errorSchema, LanyardError } from '../../shared/errors.ts';
import { TRUST_LIMITS } from '../../shared/trust.ts';

const ANSWER_MS = 15_000;
/** The largest answer is a chain of rosters. */
const ANSWER_LENGTH = TRUST_LIMITS.rosterLength * 8;

export interface PinnedRequest {
  /** `host:port`, an IPv6 address in brackets. */
  readonly address: string;
  /** As `pinnedClientOptions` gives them. */
  readonly tls: ConnectionOptions;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** How long the answer may take (ms). */
  readonly answerMs?: number;
}

/**
 * One JSON request to a device whose key is pinned.
 * @throws LanyardError the one that the answer carries; UNAVAILABLE when nobody answers; FORBIDDEN when somebody else does
 */
export async function pinnedRequest<Schema extends z.ZodType>(
  { address, tls, method, path, body, answerMs = ANSWER_MS }: PinnedRequest,
  schema: Schema,
): Promise<z.output<Schema>> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly text: string }>();
  const sent = request(
    new URL(path, `https://${address}`),
    {
      ...tls,
      agent: false,
      method,
      timeout: answerMs,
      headers: text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
    },
    async (response) => {
      try {
        let answer = '';
        response.setEncoding('utf8');
        for await (const part of response) {
          answer += part;
          if (answer.length > ANSWER_LENGTH) throw new Error('the answer is too long');
        }
        resolve({ status: response.statusCode ?? 0, text: answer });
      } catch (error) {
        reject(error as Error);
      }
    },
  );
  sent.once('timeout', () => sent.destroy(new Error('no answer')));
  sent.once('error', reject);
  sent.end(text);
  const answer = await promise.catch((error: unknown) => {
    if (error instanceof LanyardError) throw error;
    throw new LanyardError(
      {
        code: 'UNAVAILABLE',
        message: `nobody answers at ${address} (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`,
      },
      { cause: error },
    );
  });
  const value = parseJson(answer.text);
  const parsed = answer.status === 200 ? schema.safeParse(value) : undefined;
  if (parsed?.success) return parsed.data;
  const failure = z.object({ error: errorSchema }).safeParse(value);
  if (failure.success) throw new LanyardError(failure.data.error as ConstructorParameters<typeof LanyardError>[0]);
  throw new LanyardError({ code: 'INTERNAL', message: `${address} answered what no coordinator answers (status ${answer.status})` });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
