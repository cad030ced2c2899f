import { z } from 'zod';
import { ROUTES } from './api.ts';
import { type ErrorValue, errorSchema } from './errors.ts';
import type { CallName } from './lanyard-client.ts';
import { LIMITS } from './limits.ts';
import type { LogRecord } from './protocol.ts';
import { receiptSchema } from './receipt.ts';
import { ownerSettingsSchema } from './settings.ts';
import { deviceIdSchema, roleSchema } from './trust.ts';
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

/** A farm that was heard on the local network; what it says of itself is proven only by joining it. */
export const foundFarmSchema = z.object({
  name: z.string(),
  /** Who says that it coordinates it, and its name and fingerprint as people compare them. */
  coordinator: deviceIdSchema,
  coordinatorName: z.string(),
  fingerprint: z.string(),
  /** `host:port`, heard last first. */
  addresses: z.array(z.string()),
});
export type FoundFarm = z.infer<typeof foundFarmSchema>;

/** The container engine of this machine. */
export const engineSchema = z.object({
  /** `off`: this machine works without one, by its settings. */
  state: z.enum(['ready', 'old', 'denied', 'stopped', 'absent', 'off']),
  /** The engine's version, or what is in the way and what to do, in a sentence or two. */
  message: z.string(),
  /** What to type in a terminal of this system; null when nothing has to be done, or not there. */
  command: z.string().nullable(),
  /** Whether the app can try to start it. */
  canStart: z.boolean(),
});
export type EngineState = z.infer<typeof engineSchema>;

/** The only pages outside of the app that a window can open, in the person's browser. */
export const WEB_PAGES = {
  'install-docker': 'https://docs.docker.com/get-started/get-docker/',
  'install-podman': 'https://podman.io/docs/installation',
} as const;
export type WebPage = keyof typeof WEB_PAGES;

/** This machine as its owner sees it. */
export const ownMachineSchema = z.object({
  settings: ownerSettingsSchema.strip(),
  /** What ran here, for whom and how long; newest first. */
  receipts: z.array(receiptSchema),
});
export type OwnMachine = z.infer<typeof ownMachineSchema>;

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
  /** Listens on the local network for some seconds; the answer is what was heard. */
  z.strictObject({ kind: z.literal('find-farms') }),
  /** Events of the stream give six digits, and say that an administrator has to look; stopping the stream gives up. */
  z.strictObject({ kind: z.literal('pair'), stream, address: z.string().max(512), coordinator: deviceIdSchema.optional() }),
  /** Whether the digits of that stream are those of the other screen. */
  z.strictObject({ kind: z.literal('compare-digits'), stream, same: z.boolean() }),
  z.strictObject({ kind: z.literal('engine') }),
  /** The answer is how the engine is some time after. */
  z.strictObject({ kind: z.literal('start-engine') }),
  z.strictObject({ kind: z.literal('open-page'), page: z.enum(Object.keys(WEB_PAGES) as [WebPage, ...WebPage[]]) }),
  /** Submits the job that comes with the app; the answer is its number. */
  z.strictObject({ kind: z.literal('run-sample') }),
  z.strictObject({ kind: z.literal('desktop-settings') }),
  /** Checked together with the settings that it leaves as they are. */
  z.strictObject({ kind: z.literal('change-desktop-settings'), change: z.record(z.string().max(64), z.unknown()) }),
  /** What the owner of this machine lets the farm do there, and what it did. */
  z.strictObject({ kind: z.literal('owner') }),
  /** As `change-desktop-settings`, and at once in force; the answer is that of `owner`. */
  z.strictObject({ kind: z.literal('change-owner-settings'), change: z.record(z.string().max(64), z.unknown()) }),
  /** Looks for some seconds what stands between this machine and a farm. */
  z.strictObject({ kind: z.literal('examine') }),
  /** Opens the list of what others have made of the app. */
  z.strictObject({ kind: z.literal('show-licences') }),
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
    z.object({ kind: z.literal('digits'), digits: z.string() }),
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
