import { z } from 'zod';
import { LIMITS } from '../../shared/limits.ts';
import {
  type AssignmentGroup,
  type AttemptEnd,
  type CoordinatorMessage,
  coordinatorMessageSchema,
  countOf,
  type Hello,
  PROTOCOL_VERSION,
  type Report,
  type WorkerMessage,
  workerMessageSchema,
} from '../../shared/protocol.ts';

/** Where the coordinator listens for its workers. */
export const LINK_PATH = '/link';

export type LinkMessage = WorkerMessage | CoordinatorMessage;

/** A message, or a sentence that says why the text is none. */
export type Decoded<T> = { readonly message: T } | { readonly error: string };

/** Parses and checks one text frame from a worker. Never throws. */
export function decodeWorkerMessage(text: Buffer): Decoded<WorkerMessage> {
  return decode(workerMessageSchema, text);
}

/** Parses and checks one text frame from a coordinator. Never throws. */
export function decodeCoordinatorMessage(text: Buffer): Decoded<CoordinatorMessage> {
  return decode(coordinatorMessageSchema, text);
}

/** The part of a greeting that every version of the protocol has in common. */
const greetingSchema = z.looseObject({ type: z.literal('hello'), protocol: z.number().int() });

/** As `decodeWorkerMessage`, for the first message: it must be a `hello` of this version, and the error names both. */
export function decodeHello(text: Buffer): Decoded<Hello> {
  const value = parseJson(text);
  if ('error' in value) return value;
  const greeting = greetingSchema.safeParse(value.message);
  if (!greeting.success) return { error: 'the first message is not a hello' };
  if (greeting.data.protocol !== PROTOCOL_VERSION) {
    return {
      error: `this worker speaks protocol ${greeting.data.protocol}, the coordinator ${PROTOCOL_VERSION}; install the same version`,
    };
  }
  return check(workerMessageSchema, value.message) as Decoded<Hello>;
}

function decode<T>(schema: z.ZodType<T>, text: Buffer): Decoded<T> {
  const value = parseJson(text);
  return 'error' in value ? value : check(schema, value.message);
}

function parseJson(text: Buffer): Decoded<unknown> {
  if (text.length > LIMITS.messageBytes) {
    return { error: `the message has ${text.length} bytes; at most ${LIMITS.messageBytes} are allowed` };
  }
  try {
    return { message: JSON.parse(text.toString('utf8')) };
  } catch {
    return { error: 'the message is not JSON' };
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown): Decoded<T> {
  const result = schema.safeParse(value);
  if (result.success) return { message: result.data };
  const issue = result.error.issues[0];
  const field = issue === undefined ? '' : issue.path.map(String).join('.').slice(0, 200);
  return { error: `the message is not valid: ${field === '' ? '' : `${field}: `}${issue?.message ?? 'unknown'}`.slice(0, 1_000) };
}

/** What goes on the wire for one message, in order, and a sentence for each part of it that cannot go. */
export interface Encoded {
  readonly frames: string[];
  readonly errors: string[];
}

/**
 * Encodes a message as text frames, each within `LIMITS.messageBytes` and `LIMITS.attemptsPerMessage`: most often one;
 * a list that is too long goes out in parts. One item that is larger than a whole frame may be is left out, and named in `errors`.
 */
export function encodeMessage(message: LinkMessage): Encoded {
  const encoded: Encoded = { frames: [], errors: [] };
  encodeInto(encoded, message);
  return encoded;
}

function encodeInto(encoded: Encoded, message: LinkMessage): void {
  if (attemptCount(message) <= LIMITS.attemptsPerMessage) {
    const text = textOf(message);
    if (fits(text)) {
      encoded.frames.push(text);
      return;
    }
  }
  const parts = split(message);
  for (const part of parts) encodeInto(encoded, part);
  if (parts.length === 0)
    encoded.errors.push(`a message "${message.type}"${firstAttempt(message)} is larger than ${LIMITS.messageBytes} bytes`);
}

function textOf(message: LinkMessage): string {
  if (message.type !== 'reports') return JSON.stringify(message);
  return JSON.stringify({ ...message, reports: message.reports.map((report) => (report.kind === 'ended' ? briefly(report) : report)) });
}

/** An end without what its reader fills in (`attemptEndSchema`), which is most of it where a task was short. */
function briefly({ kind, attempt, end }: Extract<Report, { kind: 'ended' }>): object {
  const brief = {
    reason: end.reason,
    exitCode: end.exitCode ?? undefined,
    message: end.message ?? undefined,
    outputs: end.outputs.length === 0 ? undefined : end.outputs,
    started: end.started || undefined,
    ranForMs: end.ranForMs || undefined,
    cpuMs: end.cpuMs ?? undefined,
    peakRamMb: end.peakRamMb ?? undefined,
    logBytes: end.logBytes || undefined,
  } satisfies Record<keyof AttemptEnd, unknown>;
  return { kind, attempt, end: brief };
}

function firstAttempt(message: LinkMessage): string {
  if (message.type === 'reports') return ` about ${message.reports[0]?.attempt}`;
  return message.type === 'assign' ? ` about ${message.groups[0]?.attempts[0]?.attempt}` : '';
}

/** A UTF-16 unit takes at most three bytes of UTF-8, so that most texts need no counting. */
function fits(text: string): boolean {
  return text.length * 3 <= LIMITS.messageBytes || Buffer.byteLength(text) <= LIMITS.messageBytes;
}

/** @returns how many attempts a message names, where it is one of those that may be split or merged; else 0. */
export function attemptCount(message: LinkMessage): number {
  switch (message.type) {
    case 'reports':
      return message.reports.length;
    case 'assign':
      return countOf(message.groups);
    case 'acknowledge':
    case 'stop':
      return message.attempts.length;
    default:
      return 0;
  }
}

/** @returns two messages that say the same; none where a message cannot be split */
function split(message: LinkMessage): readonly LinkMessage[] {
  if (attemptCount(message) < 2) return [];
  switch (message.type) {
    case 'reports':
      return halves(message.reports).map((reports) => ({ ...message, reports }));
    case 'assign':
      return splitGroups(message.groups).map((groups) => ({ ...message, groups }));
    case 'stop':
      return halves(message.attempts).map((attempts) => ({ ...message, attempts }));
    case 'acknowledge':
      return halves(message.attempts).map((attempts) => ({ ...message, attempts }));
    default:
      return [];
  }
}

/** Between two groups; a single one becomes two of the same work. */
function splitGroups(groups: readonly AssignmentGroup[]): AssignmentGroup[][] {
  const [only] = groups;
  if (only === undefined || groups.length > 1) return halves(groups);
  return halves(only.attempts).map((attempts) => [{ ...only, attempts }]);
}

function halves<Item>(items: readonly Item[]): [Item[], Item[]] {
  const half = items.length >> 1;
  return [items.slice(0, half), items.slice(half)];
}
