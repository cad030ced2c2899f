import { LanyardError } from '../../shared/errors.ts';
import type { BlobId } from '../../shared/ids.ts';
import { type IpcAnswer, type IpcBridge, type IpcEvent, type IpcRequest, ipcEventSchema, UPLOAD_PIECE_BYTES } from '../../shared/ipc.ts';
import type { LanyardClient, Upload, UploadProgress, UploadSource } from '../../shared/lanyard-client.ts';

declare global {
  interface Window {
    /** There in the desktop window only. */
    readonly lanyard?: IpcBridge;
  }
}

export const ipcBridge = window.lanyard;

/** The farm over IPC: what the desktop window has. */
export function createIpcClient(bridge: IpcBridge): LanyardClient {
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
    upload: (source, progress) => upload(source, progress, ask, open),
    readOutput: async ({ task, path }, maxBytes) => (await ask({ kind: 'read-output', task, path, maxBytes })) as Uint8Array<ArrayBuffer>,
    readThumbnail: async ({ task, path }, size) => (await ask({ kind: 'read-thumbnail', task, path, size })) as Uint8Array<ArrayBuffer>,
    saveOutput: async ({ task, path }) => void (await ask({ kind: 'save-output', task, path })),
    saveOutputs: async (job) => void (await ask({ kind: 'save-outputs', job })),
  };
}

function upload(
  source: UploadSource,
  progress: (progress: UploadProgress) => void,
  ask: (request: IpcRequest) => Promise<unknown>,
  open: (listener: (event: IpcEvent['event']) => void) => { stream: number; close: () => void },
): Upload {
  let isCancelled = false;
  const { stream, close } = open((event) => {
    if (event.kind === 'progress') progress({ step: 'sending', done: event.done, total: event.total });
  });
  const run = async () => {
    try {
      await ask({ kind: 'upload', stream });
      for (let at = 0; at < source.bytes && !isCancelled; at += UPLOAD_PIECE_BYTES) {
        progress({ step: 'hashing', done: at, total: source.bytes });
        const bytes = await source.read(at, Math.min(at + UPLOAD_PIECE_BYTES, source.bytes));
        await ask({ kind: 'upload-piece', stream, bytes });
      }
      if (isCancelled) throw new LanyardError({ code: 'CONFLICT', message: 'The upload was cancelled.' });
      return (await ask({ kind: 'upload-end', stream })) as BlobId;
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

function answered(answer: IpcAnswer): unknown {
  if (answer.ok) return answer.value;
  throw new LanyardError(answer.error);
}
