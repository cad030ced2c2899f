import { LanyardError } from '../../shared/errors.ts';
import { type Finding, findingSchema } from '../../shared/finding.ts';
import type { BlobId } from '../../shared/ids.ts';
import {
  type EngineState,
  engineSchema,
  type FoundFarm,
  foundFarmSchema,
  type IpcAnswer,
  type IpcBridge,
  type IpcEvent,
  type IpcRequest,
  ipcEventSchema,
  type Membership,
  membershipSchema,
  type OpenedFile,
  type OwnMachine,
  openedFileSchema,
  ownMachineSchema,
  UPLOAD_PIECE_BYTES,
  type WebPage,
} from '../../shared/ipc.ts';
import type { LanyardClient, Stop, Upload, UploadProgress, UploadSource } from '../../shared/lanyard-client.ts';
import type { DesktopSettings, OwnerSettings } from '../../shared/settings.ts';

declare global {
  interface Window {
    /** There in the desktop window only. */
    readonly lanyard?: IpcBridge;
  }
}

export const ipcBridge = window.lanyard;

/** What the desktop app does besides carrying the farm. */
export interface Desktop {
  /** Files and links that the system gave to the app, as they come. */
  openings(listener: { opened(file: UploadSource): void; link(link: string): void }): Stop;
  membership(): Promise<Membership>;
  createFarm(name: string): Promise<void>;
  /** @param waiting an administrator has to let this machine in. @param signal gives up */
  joinFarm(invite: string, waiting: () => void, signal: AbortSignal): Promise<void>;
  /** Listens on the local network for two to three seconds. */
  findFarms(): Promise<readonly FoundFarm[]>;
  /** Joins by six digits that two people compare. @param signal gives up */
  pair(farm: PairedFarm, steps: PairingSteps, signal: AbortSignal): Promise<void>;
  /** The container engine of this machine. */
  engine(): Promise<EngineState>;
  /** Tries to start it. @returns how it is then */
  startEngine(): Promise<EngineState>;
  /** Opens one of the pages that the app knows, in the person's browser. */
  openPage(page: WebPage): Promise<void>;
  /** Submits the job that comes with the app. @returns its number */
  runSample(): Promise<number>;
  /** What the owner lets the farm do on this machine, and what ran there. */
  ownMachine(): Promise<OwnMachine>;
  /** In force at once. */
  changeOwnerSettings(change: Partial<OwnerSettings>): Promise<OwnMachine>;
  /** What stands between this machine and a farm; takes some seconds. */
  examine(): Promise<readonly Finding[]>;
  settings(): Promise<DesktopSettings>;
  changeSettings(change: Partial<DesktopSettings>): Promise<DesktopSettings>;
  /** Opens the list of what others have made of the app. */
  showLicences(): Promise<void>;
  /** @returns the file that was written; null when the person chose none */
  collectDiagnostics(): Promise<string | null>;
}

export interface PairedFarm {
  /** `host:port`, or a host: what a person types, or one of those that were found. */
  readonly address: string;
  /** Who should answer there, where it was found and not typed. */
  readonly coordinator?: string;
}

export interface PairingSteps {
  /** Both screens must show these six digits; `answer` takes what the person says, once. */
  digits(digits: string, answer: (same: boolean) => void): void;
  /** An administrator has to let this machine in. */
  waiting(): void;
}

export interface DesktopClient extends LanyardClient {
  readonly desktop: Desktop;
}

/** The farm over IPC: what the desktop window has. */
export function createIpcClient(bridge: IpcBridge): DesktopClient {
  const listeners = new Map<number, (event: IpcEvent['event']) => void>();
  let nextStream = 1;
  bridge.listen((message) => {
    const { stream, event } = ipcEventSchema.parse(message) as IpcEvent;
    listeners.get(stream)?.(event);
  });
  const ask = async (request: IpcRequest) => answered(await bridge.request(request));
  const open = (listener: (event: IpcEvent['event']) => void) => {
    const stream = nextStream++;
    listeners.set(stream, listener);
    const close = () => {
      if (listeners.delete(stream)) void bridge.request({ kind: 'stop', stream });
    };
    return { stream, close };
  };
  return {
    call: async (name, ...[request]) => (await ask({ kind: 'call', name, request: request as never })) as never,
    watch(listener) {
      listener.state({ state: 'connecting' });
      const { stream, close } = open((event) => {
        if (event.kind === 'lost') listener.state({ state: 'lost', error: event.error, retryMs: event.retryMs });
        if (event.kind !== 'view') return;
        if (event.view.type === 'snapshot') listener.state({ state: 'live' });
        listener.event(event.view);
      });
      ask({ kind: 'watch', stream }).catch((error: LanyardError) => listener.state({ state: 'refused', error: error.toValue() }));
      return close;
    },
    followLog(attempt, listener) {
      const { stream, close } = open((event) => {
        if (event.kind === 'records') listener.records(event.records);
        if (event.kind === 'ended') listener.ended(event.error);
      });
      ask({ kind: 'log', stream, attempt }).catch((error: LanyardError) => listener.ended(error.toValue()));
      return close;
    },
    upload: (source, progress) => upload(source, progress, { bridge, ask, open }),
    readOutput: async ({ task, path }, maxBytes) => (await ask({ kind: 'read-output', task, path, maxBytes })) as Uint8Array<ArrayBuffer>,
    readThumbnail: async ({ task, path }, size) => (await ask({ kind: 'read-thumbnail', task, path, size })) as Uint8Array<ArrayBuffer>,
    saveOutput: async ({ task, path }) => void (await ask({ kind: 'save-output', task, path })),
    saveOutputs: async (job) => void (await ask({ kind: 'save-outputs', job })),
    desktop: {
      openings(listener) {
        const { stream, close } = open((event) => {
          if (event.kind === 'opened') listener.opened(openedSource(event.file, ask));
          if (event.kind === 'link') listener.link(event.link);
        });
        void ask({ kind: 'openings', stream });
        return close;
      },
      membership: async () => membershipSchema.parse(await ask({ kind: 'membership' })),
      createFarm: async (name) => void (await ask({ kind: 'create-farm', name })),
      async joinFarm(invite, waiting, signal) {
        const { stream, close } = open((event) => event.kind === 'waiting' && waiting());
        signal.addEventListener('abort', close, { once: true });
        try {
          await ask({ kind: 'join-farm', stream, invite });
        } finally {
          close();
        }
      },
      findFarms: async () => foundFarmSchema.array().parse(await ask({ kind: 'find-farms' })),
      async pair(farm, { digits, waiting }, signal) {
        const { stream, close } = open((event) => {
          if (event.kind === 'waiting') waiting();
          if (event.kind === 'digits') digits(event.digits, (same) => void ask({ kind: 'compare-digits', stream, same }));
        });
        signal.addEventListener('abort', close, { once: true });
        try {
          await ask({ kind: 'pair', stream, ...farm });
        } finally {
          close();
        }
      },
      engine: async () => engineSchema.parse(await ask({ kind: 'engine' })),
      startEngine: async () => engineSchema.parse(await ask({ kind: 'start-engine' })),
      openPage: async (page) => void (await ask({ kind: 'open-page', page })),
      runSample: async () => Number(await ask({ kind: 'run-sample' })),
      settings: async () => (await ask({ kind: 'desktop-settings' })) as DesktopSettings,
      changeSettings: async (change) => (await ask({ kind: 'change-desktop-settings', change })) as DesktopSettings,
      ownMachine: async () => ownMachineSchema.parse(await ask({ kind: 'owner' })),
      changeOwnerSettings: async (change) => ownMachineSchema.parse(await ask({ kind: 'change-owner-settings', change })),
      examine: async () => findingSchema.array().parse(await ask({ kind: 'examine' })),
      showLicences: async () => void (await ask({ kind: 'show-licences' })),
      collectDiagnostics: async () => (await ask({ kind: 'collect-diagnostics' })) as string | null,
    },
  };
}

type Ask = (request: IpcRequest) => Promise<unknown>;

/** A file on the disk that the page has no `File` of: read over IPC, where it must be looked into. */
function openedSource({ token, name, bytes }: OpenedFile, ask: Ask): UploadSource {
  return {
    name,
    bytes,
    async read(start, end) {
      const parts: Uint8Array<ArrayBuffer>[] = [];
      for (let at = start; at < end; at += UPLOAD_PIECE_BYTES) {
        const request = { kind: 'read-opened', token, start: at, end: Math.min(at + UPLOAD_PIECE_BYTES, end) } as const;
        parts.push((await ask(request)) as Uint8Array<ArrayBuffer>);
      }
      return new Uint8Array(await new Blob(parts).arrayBuffer());
    },
    handle: token,
  };
}

interface Carrier {
  readonly bridge: IpcBridge;
  readonly ask: Ask;
  readonly open: (listener: (event: IpcEvent['event']) => void) => { stream: number; close: () => void };
}

function upload(source: UploadSource, progress: (progress: UploadProgress) => void, { bridge, ask, open }: Carrier): Upload {
  let isCancelled = false;
  const { stream, close } = open((event) => {
    if (event.kind === 'progress') progress({ step: 'sending', done: event.done, total: event.total });
  });
  const sendPieces = async () => {
    await ask({ kind: 'upload', stream });
    for (let at = 0; at < source.bytes && !isCancelled; at += UPLOAD_PIECE_BYTES) {
      progress({ step: 'hashing', done: at, total: source.bytes });
      const bytes = await source.read(at, Math.min(at + UPLOAD_PIECE_BYTES, source.bytes));
      await ask({ kind: 'upload-piece', stream, bytes });
    }
    if (isCancelled) throw new LanyardError({ code: 'CONFLICT', message: 'The upload was cancelled.' });
    return await ask({ kind: 'upload-end', stream });
  };
  const run = async () => {
    try {
      const token = await tokenOf(source.handle, bridge);
      return (token === null ? await sendPieces() : await ask({ kind: 'upload-opened', stream, token })) as BlobId;
    } finally {
      close();
    }
  };
  return {
    finished: run(),
    cancel() {
      isCancelled = true;
      close();
    },
  };
}

/** By which the main process reads it on the disk; null for what lies on none, such as a folder that was just packed. */
async function tokenOf(handle: unknown, bridge: IpcBridge): Promise<string | null> {
  if (typeof handle === 'string') return handle;
  if (!(handle instanceof File)) return null;
  const answer = await bridge.open(handle);
  return answer.ok ? openedFileSchema.parse(answer.value).token : null;
}

function answered(answer: IpcAnswer): unknown {
  if (answer.ok) return answer.value;
  throw new LanyardError(answer.error);
}
