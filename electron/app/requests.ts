import { createWriteStream } from 'node:fs';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { app, dialog, ipcMain, shell, type WebContents } from 'electron';
import { type ErrorValue, invalid, LanyardError } from '../../shared/errors.ts';
import type { AttemptId } from '../../shared/ids.ts';
import {
  IPC_STREAMS,
  type IpcAnswer,
  type IpcEvent,
  ipcRequestSchema,
  type OwnMachine,
  ownMachineSchema,
  WEB_PAGES,
} from '../../shared/ipc.ts';
import { IPC_EVENTS, IPC_PATHS, IPC_REQUESTS } from '../../shared/ipc-channels.ts';
import type { LogRecord } from '../../shared/protocol.ts';
import type { Client } from '../api/client.ts';
import type { Logger } from '../ports/system.ts';
import { showLicences } from './about.ts';
import type { OpenedFiles } from './opened-files.ts';
import type { Opening } from './opening-queue.ts';
import type { OwnEngine } from './own-engine.ts';
import type { OwnFarm } from './own-farm.ts';
import { APP_ORIGIN } from './security.ts';
import type { AppSettings } from './settings.ts';

/** Bytes of an output that a window may have at once. */
const READ_BYTES = 512 * 1024 * 1024;
/** What ran on this machine, as far back as a window shows. */
const RECEIPTS = 50;
/** Log records are sent together, this many at most. */
const RECORDS = 2_000;

type Request = ReturnType<typeof ipcRequestSchema.parse>;
type Of<Kind extends Request['kind']> = Extract<Request, { kind: Kind }>;

interface OpenStream {
  readonly abort: AbortController;
  /** Where the pieces of an upload are gathered. */
  readonly folder?: string;
  /** Takes what the person says of the six digits, once they are shown. */
  compared?: (same: boolean) => void;
}

/** What of the app itself a window may ask for. */
export interface DesktopActions {
  readonly farm: OwnFarm;
  readonly settings: AppSettings;
  readonly files: OpenedFiles;
  readonly engine: OwnEngine;
  /** Calls back with what the app was asked to open, from what waits already on; until the window is gone. */
  listen(listener: (opening: Opening) => void): () => void;
  collectDiagnostics(): Promise<string | null>;
  /** @returns the number of the job */
  runSample(): Promise<number>;
}

/** Answers what windows ask, each by its own; who is not one of the app's pages gets nothing. */
export function answerWindows(desktop: DesktopActions, logger: Logger): void {
  const windows = new WeakMap<WebContents, WindowRequests>();
  const handle = (channel: string, answer: (contents: WebContents, message: unknown) => Promise<unknown>) =>
    ipcMain.handle(channel, async (event, message: unknown): Promise<IpcAnswer> => {
      const frame = event.senderFrame;
      if (frame === null || frame !== event.sender.mainFrame || frame.origin !== APP_ORIGIN)
        return { ok: false, error: { code: 'FORBIDDEN', message: 'only the app’s own page may ask' } };
      try {
        return { ok: true, value: await answer(event.sender, message) };
      } catch (error) {
        if (error instanceof LanyardError) return { ok: false, error: error.toValue() };
        logger.error('a request of the window failed', { error: String(error) });
        return { ok: false, error: { code: 'INTERNAL', message: 'Something went wrong inside the app; its log says more.' } };
      }
    });
  handle(IPC_REQUESTS, async (contents, message) => {
    const parsed = ipcRequestSchema.safeParse(message);
    if (!parsed.success) throw invalid(parsed.error, 'the request');
    const known = windows.get(contents) ?? new WindowRequests(desktop, contents);
    windows.set(contents, known);
    return await known.answer(parsed.data);
  });
  handle(IPC_PATHS, async (_, path) => await desktop.files.add(String(path)));
}

/** What one window has under way; ends with it. */
class WindowRequests {
  private readonly desktop: DesktopActions;
  private readonly contents: WebContents;
  private readonly streams = new Map<number, OpenStream>();

  constructor(desktop: DesktopActions, contents: WebContents) {
    this.desktop = desktop;
    this.contents = contents;
    contents.on('destroyed', () => this.stopAll());
    contents.on('did-start-navigation', (details) => details.isMainFrame && !details.isSameDocument && this.stopAll());
  }

  async answer(request: Request): Promise<unknown> {
    switch (request.kind) {
      case 'call':
        return await this.client.call(request.name, request.request as never);
      case 'watch':
        return void this.watch(this.open(request.stream), request.stream);
      case 'log':
        return void this.log(this.open(request.stream), request);
      case 'stop':
        return this.stop(request.stream);
      case 'read-output':
        return await readAll(await this.client.download(request), Math.min(request.maxBytes, READ_BYTES));
      case 'read-thumbnail':
        return await readAll(await this.client.thumbnail(request, request.size), READ_BYTES);
      case 'save-output':
        return await this.save(basename(request.path), () => this.client.download(request));
      case 'save-outputs':
        return await this.save(`job-${request.job}.zip`, () => this.client.downloadOutputs(request.job));
      case 'upload':
        this.open(request.stream, await mkdtemp(join(tmpdir(), 'lanyard-upload-')));
        return;
      case 'upload-piece':
        return await appendFile(join(this.folderOf(request.stream), 'input.zip'), request.bytes);
      case 'upload-end':
        return await this.upload(request.stream, join(this.folderOf(request.stream), 'input.zip'));
      case 'upload-opened':
        this.open(request.stream);
        return await this.upload(request.stream, this.desktop.files.path(request.token));
      case 'read-opened':
        return await this.desktop.files.read(request.token, request.start, request.end);
      case 'openings':
        return this.listen(this.open(request.stream), request.stream);
      case 'membership':
        return this.desktop.farm.membership();
      case 'create-farm':
        return await this.desktop.farm.create(request.name);
      case 'join-farm':
        return await this.join(this.open(request.stream), request);
      case 'find-farms':
        return await this.desktop.farm.find();
      case 'pair':
        return await this.pair(this.open(request.stream), request);
      case 'compare-digits':
        return this.streams.get(request.stream)?.compared?.(request.same);
      case 'engine':
        return await this.desktop.engine.look();
      case 'start-engine':
        return await this.desktop.engine.start();
      case 'open-page':
        return await shell.openExternal(WEB_PAGES[request.page]);
      case 'run-sample':
        return await this.desktop.runSample();
      case 'desktop-settings':
        return this.desktop.settings.desktop;
      case 'change-desktop-settings':
        return await this.desktop.settings.change(request.change);
      case 'owner':
        return await this.ownMachine();
      case 'change-owner-settings':
        await this.desktop.farm.changeOwner(await this.desktop.settings.changeOwner(request.change));
        return await this.ownMachine();
      case 'examine':
        return await this.desktop.farm.examine();
      case 'show-licences':
        return await showLicences();
      case 'collect-diagnostics':
        return await this.desktop.collectDiagnostics();
    }
  }

  private async ownMachine(): Promise<OwnMachine> {
    const { settings, farm } = this.desktop;
    return ownMachineSchema.parse({ settings: settings.node.worker, receipts: await farm.receipts(RECEIPTS) });
  }

  private get client(): Client {
    return this.desktop.farm.client();
  }

  private open(stream: number, folder?: string): AbortController {
    if (this.streams.has(stream) || this.streams.size >= IPC_STREAMS)
      throw new LanyardError({ code: 'TOO_MANY', message: 'there are too many streams, or one of this number' });
    const abort = new AbortController();
    this.streams.set(stream, { abort, ...(folder === undefined ? {} : { folder }) });
    return abort;
  }

  private stop(stream: number): void {
    const known = this.streams.get(stream);
    this.streams.delete(stream);
    known?.abort.abort(new LanyardError({ code: 'CONFLICT', message: 'It was cancelled.' }));
    if (known?.folder !== undefined) void rm(known.folder, { recursive: true, force: true });
  }

  private stopAll(): void {
    for (const stream of [...this.streams.keys()]) this.stop(stream);
  }

  private send(stream: number, event: IpcEvent['event']): void {
    if (this.streams.has(stream) && !this.contents.isDestroyed()) this.contents.send(IPC_EVENTS, { stream, event } satisfies IpcEvent);
  }

  private async watch({ signal }: AbortController, stream: number): Promise<void> {
    try {
      for await (const view of this.client.watch(signal)) this.send(stream, { kind: 'view', view });
    } catch (error) {
      this.send(stream, { kind: 'lost', error: errorValueOf(error), retryMs: 0 });
    }
  }

  private async log({ signal }: AbortController, { stream, attempt }: Of<'log'>): Promise<void> {
    let records: LogRecord[] = [];
    let soon: NodeJS.Immediate | undefined;
    const flush = () => {
      soon = undefined;
      if (records.length > 0) this.send(stream, { kind: 'records', records });
      records = [];
    };
    try {
      for await (const record of this.client.followLog(attempt as AttemptId, { follow: true, signal })) {
        records.push(record);
        soon ??= setImmediate(flush);
        if (records.length < RECORDS) continue;
        clearImmediate(soon);
        flush();
      }
      flush();
      this.send(stream, { kind: 'ended', error: null });
    } catch (error) {
      flush();
      this.send(stream, { kind: 'ended', error: errorValueOf(error) });
    }
  }

  private async save(name: string, download: () => Promise<Readable>): Promise<void> {
    const { filePath, canceled } = await dialog.showSaveDialog({ defaultPath: join(app.getPath('downloads'), name) });
    if (canceled) throw new LanyardError({ code: 'CONFLICT', message: 'No place was chosen for it.' });
    await pipeline(await download(), createWriteStream(filePath));
  }

  private folderOf(stream: number): string {
    const folder = this.streams.get(stream)?.folder;
    if (folder === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: 'there is no such upload' });
    return folder;
  }

  private async join({ signal }: AbortController, { stream, invite }: Of<'join-farm'>): Promise<void> {
    const joined = this.desktop.farm.join(invite, signal, () => this.send(stream, { kind: 'waiting' }));
    await joined.catch((error: unknown) => Promise.reject(signal.aborted ? signal.reason : error));
  }

  private async pair({ signal }: AbortController, { stream, address, coordinator }: Of<'pair'>): Promise<void> {
    const compare = async (digits: string) => {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      const known = this.streams.get(stream);
      if (known === undefined || signal.aborted) throw signal.reason;
      known.compared = resolve;
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      this.send(stream, { kind: 'digits', digits });
      return await promise;
    };
    const waiting = () => this.send(stream, { kind: 'waiting' });
    const expected = coordinator === undefined ? {} : { expected: coordinator };
    const paired = this.desktop.farm.pair({ address, signal, compare, waiting, ...expected });
    await paired.catch((error: unknown) => Promise.reject(signal.aborted ? signal.reason : error));
  }

  private listen({ signal }: AbortController, stream: number): void {
    signal.addEventListener(
      'abort',
      this.desktop.listen((opening) => this.send(stream, opening)),
      { once: true },
    );
  }

  private async upload(stream: number, path: string): Promise<string> {
    const signal = this.streams.get(stream)?.abort.signal;
    const { blob } = await this.client.uploadBlob(path, (done, total) => this.send(stream, { kind: 'progress', done, total }), signal);
    return blob;
  }
}

/** @returns the first `most` bytes */
async function readAll(source: Readable, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of source as AsyncIterable<Uint8Array>) {
    parts.push(part);
    bytes += part.byteLength;
    if (bytes >= most) break;
  }
  return new Uint8Array(Buffer.concat(parts).subarray(0, most));
}

function errorValueOf(error: unknown): ErrorValue {
  return error instanceof LanyardError ? error.toValue() : { code: 'INTERNAL', message: String(error) };
}
