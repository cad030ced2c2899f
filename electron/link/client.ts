import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { LanyardError } from '../../shared/errors.ts';
import type { AttemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { PROTOCOL_VERSION, type WorkerMessage } from '../../shared/protocol.ts';
import type { Endpoint, LinkClient, LinkClientHandlers } from '../ports/link.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';
import { decodeCoordinatorMessage, LINK_PATH } from './codec.ts';
import { CLOSE, closeText } from './connection.ts';
import { createFrameMemory } from './frame-memory.ts';
import { LOOK_MS, localAddresses, watchLocalAddress } from './local-address.ts';
import { encodeLogFrame, LOG_FRAME_OVERHEAD } from './log-frame.ts';
import { createOutbox } from './outbox.ts';

/** Pauses between attempts to connect are drawn evenly from 0 to a ceiling that doubles from `firstMs` to `longestMs`. */
export interface ReconnectPauses {
  readonly firstMs: number;
  readonly longestMs: number;
  /** A connection that stood this long brings the ceiling back to `firstMs`. */
  readonly stableMs: number;
}

const PAUSES: ReconnectPauses = { firstMs: 250, longestMs: 15_000, stableMs: 60_000 };
/**
 * A coordinator that could not write (its disk is full) is tried again as if it were the third time, so that a node is back within
 * its grace, and keeps what it runs, for as long as that lasts.
 */
const TRIES_OF_A_FAULT = 3;
const CONNECT_TIMEOUT_MS = 10_000;
const WELCOME_TIMEOUT_MS = 30_000;
/** In looks at the addresses of this machine: 15 s. */
const LOOKS_PER_PING = 10;
const CLOSE_TIMEOUT_MS = 2_000;
const SURE_REFUSALS = 2;
/** Connections whose other end has shown the key that was expected. */
const keyed = new WeakSet<WebSocket>();
const sockets = new WeakMap<WebSocket, Socket>();

export interface LinkClientOptions {
  /** Where to try next; undefined: nowhere is known at the moment. */
  readonly endpoint: () => Endpoint | undefined;
  readonly handlers: LinkClientHandlers;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Evenly from 0 to below 1. */
  readonly random: () => number;
  readonly reconnect?: Partial<ReconnectPauses>;
  /** The addresses of this machine, as they are now. */
  readonly readAddresses?: typeof localAddresses;
}

/**
 * Connects to a coordinator, and keeps connecting until `close`.
 *
 * What the handlers can rely on:
 * - per connection: `hello` once, then `welcome` once, then `message` in the order sent, never after `closed`.
 * - `closed` comes once for every attempt to connect that ended, also where there was no `welcome`; never because of `close`.
 * - A refusal arrives as `closed` with the coordinator's sentence, not as a `message`. It is `final` when trying again
 *   cannot help: refused with `retry: false`, an an unknown caller (401), one that is no worker (403).
 * - Messages and log frames arrive in the order of `send` and `sendLog`; neighbouring messages of one kind are merged.
 */
export function createLinkClient(options: LinkClientOptions): LinkClient {
  return new Client(options);
}

interface LogWaiter {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class Client implements LinkClient {
  readonly #options: LinkClientOptions;
  readonly #pauses: ReconnectPauses;
  readonly #outbox = createOutbox();
  #webSocket: WebSocket | undefined;
  #state: 'connecting' | 'greeted' | 'up' | 'waiting' | 'ended' = 'connecting';
  /** Attempts to connect since the last stable connection. */
  #tries = 0;
  /** Connections that ended right after both keys were shown, since one stood. */
  #refusals = 0;
  #upSinceMs = 0;
  #heard = true;
  #flushPlanned: NodeJS.Immediate | undefined;
  #grantPlanned: NodeJS.Immediate | undefined;
  #logWaiters: LogWaiter[] = [];
  readonly #frameMemory = createFrameMemory(LIMITS.logFrameBytes + LOG_FRAME_OVERHEAD);
  /** The one timer of the present state: welcome, ping, or the pause before the next attempt. */
  #timer: Dispose = () => {};
  readonly #written = (error?: Error | null) => {
    // After an error the connection is about to be lost, and those who wait with it.
    if (error === undefined || error === null) this.#grantLogs();
  };

  constructor(options: LinkClientOptions) {
    this.#options = options;
    this.#pauses = { ...PAUSES, ...options.reconnect };
    // Not at once: whoever made this client wants to hold it before its handlers are called.
    queueMicrotask(() => {
      if (this.#state !== 'ended') this.#connect();
    });
  }

  get connected(): boolean {
    return this.#state === 'up';
  }

  send(message: Exclude<WorkerMessage, { type: 'hello' }>): void {
    if (this.#state !== 'up') return;
    this.#outbox.push(message);
    this.#flushPlanned ??= setImmediate(() => this.#flush());
  }

  async sendLog(attempt: AttemptId, offset: number, bytes: Uint8Array): Promise<void> {
    this.#flush();
    const webSocket = this.#webSocket;
    if (this.#state !== 'up' || webSocket?.readyState !== WebSocket.OPEN) throw lost('there is no connection to the coordinator');
    for (let start = 0; start < bytes.byteLength; start += LIMITS.logFrameBytes) {
      const part = bytes.subarray(start, start + LIMITS.logFrameBytes);
      const frame = encodeLogFrame(attempt, offset + start, part, this.#frameMemory.take);
      webSocket.send(frame, (error) => {
        // Of a connection that broke, somebody may still hold it.
        if (error === undefined || error === null) this.#frameMemory.giveBack(frame);
        this.#written(error);
      });
    }
    if (webSocket.bufferedAmount < LIMITS.linkLogWindowBytes) return;
    await new Promise<void>((resolve, reject) => this.#logWaiters.push({ bytes: bytes.byteLength, resolve, reject }));
  }

  async close(): Promise<void> {
    const webSocket = this.#webSocket;
    if (this.#state === 'up') this.#flush();
    this.#state = 'ended';
    this.#release('the link was closed');
    if (webSocket === undefined) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(CLOSE_TIMEOUT_MS, () => webSocket.terminate());
      webSocket.once('close', () => {
        cancel();
        resolve();
      });
      webSocket.close(CLOSE.normal, 'the worker leaves');
    });
  }

  #connect(): void {
    const endpoint = this.#options.endpoint();
    this.#state = 'connecting';
    this.#tries += 1;
    if (endpoint === undefined) {
      this.#retry('no address of the coordinator is known');
      return;
    }
    const { url, token, tls } = endpoint;
    const webSocket = new WebSocket(linkUrl(url), {
      ...tls,
      // A mask keeps what a web page sends from fooling the proxies on the way (RFC 6455, 10.3). Inside TLS there are none,
      // and with a mask of zeros no byte of a log is copied for it.
      ...(tls === undefined ? {} : { generateMask: (mask: Buffer) => mask.fill(0) }),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      maxPayload: LIMITS.messageBytes,
      perMessageDeflate: false,
      followRedirects: false,
      finishRequest(request) {
        request.once('socket', (socket) => {
          sockets.set(webSocket, socket);
          socket.once('secureConnect', () => keyed.add(webSocket));
        });
        request.end();
      },
    });
    this.#webSocket = webSocket;
    webSocket.on('open', () => this.#opened(webSocket));
    webSocket.on('message', (data: Buffer, isBinary) => this.#received(webSocket, data, isBinary));
    webSocket.on('ping', () => this.#hear());
    webSocket.on('pong', () => this.#hear());
    webSocket.on('unexpected-response', (request, response) => {
      request.destroy();
      const { reason, final } = refusal(response);
      this.#lost(webSocket, reason, final);
    });
    webSocket.on('error', (error: NodeJS.ErrnoException) => {
      const text = error.message || error.code || 'cannot connect';
      this.#lost(webSocket, this.#state === 'connecting' ? this.#turnedAway(text, keyed.has(webSocket)) : text, false);
    });
    webSocket.on('close', (code, reason) => {
      if (code === CLOSE.internal) this.#tries = Math.min(this.#tries, TRIES_OF_A_FAULT);
      this.#lost(webSocket, closeText(code, reason), false);
    });
  }

  /**
   * The right coordinator answers, by its key, and hangs up: once may be chance. In TLS 1.3 a client hears of its own certificate
   * only when it has done its part, and often by nothing but a closed connection.
   */
  #turnedAway(text: string, isKeyed: boolean): string {
    // Addresses at which nobody answers may be tried in between.
    if (isKeyed) this.#refusals += 1;
    if (!isKeyed || this.#refusals < SURE_REFUSALS) return text;
    return `the coordinator answers and does not take this device's key: it was probably removed from the farm, and can join again with a new invite (${text})`;
  }

  #opened(webSocket: WebSocket): void {
    this.#refusals = 0;
    if (this.#state !== 'connecting') return;
    const encoded = JSON.stringify(this.#options.handlers.hello());
    this.#state = 'greeted';
    webSocket.send(encoded);
    this.#timer = this.#options.clock.after(WELCOME_TIMEOUT_MS, () => this.#lost(webSocket, 'the coordinator does not welcome', false));
  }

  #hear(): void {
    this.#heard = true;
  }

  #received(webSocket: WebSocket, data: Buffer, isBinary: boolean): void {
    if (webSocket !== this.#webSocket || this.#state === 'ended') return;
    this.#hear();
    const decoded = isBinary ? { error: 'a coordinator sends no binary frames' } : decodeCoordinatorMessage(data);
    if ('error' in decoded) {
      this.#options.logger.error('the coordinator sent what no coordinator sends', { error: decoded.error });
      this.#lost(webSocket, decoded.error, false);
      return;
    }
    const { message } = decoded;
    if (message.type === 'refuse') this.#lost(webSocket, message.message, !message.retry);
    else if (message.type === 'welcome' && this.#state === 'greeted') {
      if (message.protocol !== PROTOCOL_VERSION) {
        this.#lost(webSocket, `the coordinator speaks protocol ${message.protocol}, this worker ${PROTOCOL_VERSION}`, true);
        return;
      }
      this.#timer();
      this.#state = 'up';
      this.#upSinceMs = this.#options.clock.elapsedMs();
      this.#heard = true;
      const socket = sockets.get(webSocket);
      const isCutOff = socket === undefined ? () => false : watchLocalAddress(socket, this.#options.readAddresses ?? localAddresses);
      this.#lookAfter(webSocket, isCutOff, LOOKS_PER_PING);
      this.#options.handlers.welcome(message);
    } else if (message.type !== 'welcome' && this.#state === 'up') this.#options.handlers.message(message);
    else this.#lost(webSocket, `the coordinator sent "${message.type}" out of turn`, false);
  }

  /** A coordinator that shows no sign of life between two pings is taken for dead, and a connection from an address that is gone for lost. */
  #lookAfter(webSocket: WebSocket, isCutOff: () => boolean, looks: number): void {
    this.#timer = this.#options.clock.after(LOOK_MS, () => {
      if (isCutOff()) return this.#lost(webSocket, 'this machine no longer has the address from which it was connected', false);
      if (looks > 1) return this.#lookAfter(webSocket, isCutOff, looks - 1);
      if (!this.#heard) return this.#lost(webSocket, 'the coordinator does not answer', false);
      this.#heard = false;
      webSocket.ping();
      this.#lookAfter(webSocket, isCutOff, LOOKS_PER_PING);
    });
  }

  #flush(): void {
    if (this.#flushPlanned !== undefined) clearImmediate(this.#flushPlanned);
    this.#flushPlanned = undefined;
    const webSocket = this.#webSocket;
    if (this.#outbox.empty || webSocket === undefined) return;
    const { frames, errors } = this.#outbox.take();
    for (const error of errors) this.#options.logger.error('a message to the coordinator was left out', { error });
    for (const frame of frames) webSocket.send(frame, this.#written);
    if (webSocket.bufferedAmount > LIMITS.linkBufferBytes) this.#lost(webSocket, 'the coordinator does not read', false);
  }

  /** Lets as many waiting log senders go on as the window has room for, if each sends as much again. */
  #grantLogs(): void {
    if (this.#logWaiters.length === 0 || this.#webSocket?.readyState !== WebSocket.OPEN) return;
    let room = LIMITS.linkLogWindowBytes - this.#webSocket.bufferedAmount;
    while (room > 0) {
      const waiter = this.#logWaiters.shift();
      if (waiter === undefined) return;
      waiter.resolve();
      room -= waiter.bytes;
      // Those let go may have nothing more to send, and then no write would call here again.
      this.#grantPlanned ??= setImmediate(() => {
        this.#grantPlanned = undefined;
        this.#grantLogs();
      });
    }
  }

  #lost(webSocket: WebSocket, reason: string, final: boolean): void {
    if (webSocket !== this.#webSocket || this.#state === 'ended') return;
    const { clock, handlers } = this.#options;
    if (this.#state === 'up' && clock.elapsedMs() - this.#upSinceMs >= this.#pauses.stableMs) this.#tries = 1;
    this.#release(reason);
    webSocket.terminate();
    if (!final) {
      this.#retry(reason);
      return;
    }
    this.#state = 'ended';
    handlers.closed(reason, true);
  }

  #retry(reason: string): void {
    const { clock, logger, handlers, random } = this.#options;
    const pauseMs = random() * Math.min(this.#pauses.longestMs, this.#pauses.firstMs * 2 ** Math.min(this.#tries - 1, 30));
    this.#state = 'waiting';
    this.#timer = clock.after(pauseMs, () => this.#connect());
    logger.debug('the link is down', { reason, pauseMs });
    handlers.closed(reason, false);
  }

  /** Drops everything that belongs to the present connection. */
  #release(reason: string): void {
    this.#timer();
    this.#webSocket = undefined;
    this.#outbox.take();
    if (this.#flushPlanned !== undefined) clearImmediate(this.#flushPlanned);
    this.#flushPlanned = undefined;
    const waiters = this.#logWaiters;
    this.#logWaiters = [];
    for (const waiter of waiters) waiter.reject(lost(reason));
  }
}

function lost(reason: string): LanyardError {
  return new LanyardError({ code: 'UNAVAILABLE', message: reason });
}

/** `http://host:7420` to `ws://host:7420/link`; a path of the address stays before it. */
function linkUrl(address: string): URL {
  const url = new URL(address);
  url.protocol = url.protocol === 'https:' || url.protocol === 'wss:' ? 'wss:' : 'ws:';
  url.pathname = `${url.pathname.replace(/\/$/, '')}${LINK_PATH}`;
  return url;
}

function refusal(response: IncomingMessage): { reason: string; final: boolean } {
  const status = response.statusCode;
  if (status === 401) return { reason: 'the coordinator does not know this device (401)', final: true };
  if (status === 403) return { reason: 'this device may not act as a worker (403)', final: true };
  return { reason: `the coordinator answered ${status} where the link should be`, final: false };
}
