import { z } from 'zod';
import { ROUTES } from './api.ts';
import { type ErrorValue, errorSchema } from './errors.ts';
import type { CallName } from './lanyard-client.ts';
import type { LogRecord } from './protocol.ts';
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
const output = { task: z.string().max(64), path: z.string().max(4_096) };

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
}
