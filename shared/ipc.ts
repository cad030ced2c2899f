import { z } from 'zod';
import { ROUTES } from './api.ts';
import { type ErrorValue, errorSchema } from './errors.ts';
import type { CallName } from './lanyard-client.ts';
import { LIMITS } from './limits.ts';
import type { LogRecord } from './protocol.ts';
import { roleSchema } from './trust.ts';
import { viewEventSchema } from './view.ts';

/**
 * The whole contract between the desktop window and the main process. The window asks on one channel (`ipc-channels.ts`) and gets
 * one answer; what goes on for longer is a stream that the window numbered itself, whose events come on the other channel.
 */
const CALL_NAMES = Object.entries(ROUTES)
  .filter(([, route]) => 'answer' in route && !('bytes' in route))
  .map(([name]) => name as CallName);

/** One piece of an upload, in bytes. */
export const UPLOAD_PIECE_BYTES = 4 * 1024 * 1024;
/** Streams that one window may have open. */
export const IPC_STREAMS = 64;

const stream = z.number().int().min(1);
const token = z.string().max(64);
const output = { task: z.string().max(64), path: z.string().max(4_096) };

/** A file on this machine's disk that the person gave to the app. */
export const openedFileSchema = z.object({ token, name: z.string(), bytes: z.number().int().min(0) });
export type OpenedFile = z.infer<typeof openedFileSchema>;

/** What this machine is in its farm. */
export const membershipSchema = z.object({
  /** Null: it belongs to none yet. */
  farm: z.object({ id: z.string(), name: z.string() }).nullable(),
  device: z.object({ id: z.string(), fingerprint: z.string(), name: z.string() }),
  roles: z.array(roleSchema),
  coordinates: z.boolean(),
  /** Whether the device's key is sealed by the system's keyring, or lies in a file that only its user may read. */
  keyProtection: z.enum(['keyring', 'file']),
});
export type Membership = z.infer<typeof membershipSchema>;

/** What a window may ask; parsed by the main process, which believes nothing of it before. */
export const ipcRequestSchema = z.discriminatedUnion('kind', [
  /** The request is parsed by the coordinator, as any client's. */
  z.strictObject({
    kind: z.literal('call'),
    name: z.enum(CALL_NAMES as [CallName, ...CallName[]]),
    request: z
      .strictObject({
        params: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
        query: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string()), z.undefined()])).optional(),
        body: z.unknown().optional(),
      })
      .optional(),
  }),
  z.strictObject({ kind: z.literal('watch'), stream }),
  z.strictObject({ kind: z.literal('log'), stream, attempt: z.string().max(64) }),
  z.strictObject({ kind: z.literal('stop'), stream }),
  z.strictObject({ kind: z.literal('read-output'), ...output, maxBytes: z.number().int().min(1) }),
  z.strictObject({ kind: z.literal('read-thumbnail'), ...output, size: z.enum(['small', 'large']) }),
  z.strictObject({ kind: z.literal('save-output'), ...output }),
  z.strictObject({ kind: z.literal('save-outputs'), job: z.number().int().min(1) }),
  /** The bytes follow piece by piece, and then an end, whose answer is the blob. */
  z.strictObject({ kind: z.literal('upload'), stream }),
  z.strictObject({
    kind: z.literal('upload-piece'),
    stream,
    bytes: z.instanceof(Uint8Array).refine((bytes) => bytes.byteLength <= UPLOAD_PIECE_BYTES, 'the piece is too large'),
  }),
  z.strictObject({ kind: z.literal('upload-end'), stream }),
  /** What the system asks of the app: files and links to open. */
  z.strictObject({ kind: z.literal('openings'), stream }),
  z.strictObject({ kind: z.literal('read-opened'), token, start: z.number().int().min(0), end: z.number().int().min(0) }),
  /** The answer is the blob; its progress are events of the stream. */
  z.strictObject({ kind: z.literal('upload-opened'), stream, token }),
  z.strictObject({ kind: z.literal('membership') }),
  z.strictObject({ kind: z.literal('create-farm'), name: z.string().trim().min(1).max(LIMITS.nameLength) }),
  /** An event of the stream says that an administrator has to look; stopping the stream gives up. */
  z.strictObject({ kind: z.literal('join-farm'), stream, invite: z.string().max(4_096) }),
  /** Submits the job that comes with the app; the answer is its number. */
  z.strictObject({ kind: z.literal('run-sample') }),
  z.strictObject({ kind: z.literal('desktop-settings') }),
  /** Checked together with the settings that it leaves as they are. */
  z.strictObject({ kind: z.literal('change-desktop-settings'), change: z.record(z.string().max(64), z.unknown()) }),
  /** The answer is the file that it wrote; null when the person chose none. */
  z.strictObject({ kind: z.literal('collect-diagnostics') }),
]);
export type IpcRequest = z.input<typeof ipcRequestSchema>;

/** Errors cross as values: an exception would lose its code and hint on the way. */
export type IpcAnswer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: ErrorValue };

export const ipcEventSchema = z.object({
  stream,
  event: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('view'), view: viewEventSchema }),
    z.object({ kind: z.literal('lost'), error: errorSchema, retryMs: z.number() }),
    z.object({
      kind: z.literal('records'),
      records: z.array(z.object({ stream: z.enum(['stdout', 'stderr', 'system']), time: z.number(), bytes: z.instanceof(Uint8Array) })),
    }),
    z.object({ kind: z.literal('ended'), error: errorSchema.nullable() }),
    z.object({ kind: z.literal('progress'), done: z.number(), total: z.number() }),
    z.object({ kind: z.literal('opened'), file: openedFileSchema }),
    z.object({ kind: z.literal('link'), link: z.string() }),
    z.object({ kind: z.literal('waiting') }),
  ]),
});
type ParsedEvent = z.infer<typeof ipcEventSchema>['event'];
/** As it is sent; the bytes of a record may be of any buffer. */
export interface IpcEvent {
  readonly stream: number;
  readonly event: Exclude<ParsedEvent, { kind: 'records' | 'lost' | 'ended' }> | IpcRecords | IpcLost | IpcEnded;
}
interface IpcRecords {
  readonly kind: 'records';
  readonly records: readonly LogRecord[];
}
interface IpcLost {
  readonly kind: 'lost';
  readonly error: ErrorValue;
  readonly retryMs: number;
}
interface IpcEnded {
  readonly kind: 'ended';
  readonly error: ErrorValue | null;
}

/** What the preload gives the window, and all that it gives. */
export interface IpcBridge {
  request(request: IpcRequest): Promise<IpcAnswer>;
  /** @returns how to stop listening */
  listen(listener: (event: unknown) => void): () => void;
  /** Opens a `File` that the person dropped or chose where it lies on the disk; the answer is an `OpenedFile`. One that lies nowhere is refused. */
  open(file: unknown): Promise<IpcAnswer>;
}
