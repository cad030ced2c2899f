import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { NodeId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { type CoordinatorMessage, type Hello, LOG_ROLES, MESSAGE_ROLES } from '../../shared/protocol.ts';
import type { Role } from '../../shared/trust.ts';
import type { LinkServerHandlers, WorkerConnection } from '../ports/link.ts';
import type { Logger } from '../ports/system.ts';
import { decodeHello, decodeWorkerMessage } from './codec.ts';
import { decodeLogFrame, type LogFrame } from './log-frame.ts';
import { createOutbox } from './outbox.ts';

/** Close codes of RFC 6455, section 7.4.1. */
export const CLOSE = { normal: 1000, goingAway: 1001, unsupported: 1003, policy: 1008, internal: 1011 } as const;

/** What a close frame has room for besides its code, in bytes. */
const CLOSE_REASON_BYTES = 123;
/** How long the other side may take to answer a close frame. */
const CLOSE_TIMEOUT_MS = 2_000;
/** What a frame under way costs besides its bytes, so that many tiny frames are bounded too. */
const FRAME_COST_BYTES = 512;

/** What a connection needs of its server. */
export interface ConnectionOwner {
  readonly handlers: LinkServerHandlers;
  readonly logger: Logger;
  /** Of who is connected. */
  readonly roles: readonly Role[];
  /** The worker introduced itself; the connection is open from now on. */
  greeted(connection: Connection, hello: Hello): void;
  /** Nothing more is delivered from this connection. Called once. */
  ended(connection: Connection, reason: string, wasOpen: boolean): void;
}

/** The coordinator's end of one worker's connection: greeting, then messages and log frames, then the end. */
export class Connection implements WorkerConnection {
  /** Resolves when the socket is gone. */
  readonly gone: Promise<void>;
  readonly #webSocket: WebSocket;
  readonly #stream: Duplex;
  readonly #owner: ConnectionOwner;
  readonly #outbox = createOutbox();
  readonly #helloTimer: NodeJS.Timeout;
  #node: NodeId | undefined;
  #state: 'greeting' | 'open' | 'ended' = 'greeting';
  #flushPlanned = false;
  #heard = true;
  /** Log frames whose writing is under way and messages that wait for it: how many, and their cost in bytes. */
  #underWay = 0;
  #underWayBytes = 0;
  /** Resolves when all of them are through. Never rejects. */
  #settled: Promise<void> = Promise.resolve();

  constructor(webSocket: WebSocket, stream: Duplex, owner: ConnectionOwner, helloTimeoutMs: number) {
    this.#webSocket = webSocket;
    this.#stream = stream;
    this.#owner = owner;
    this.#helloTimer = setTimeout(() => this.refuse('no hello within the time allowed', true), helloTimeoutMs);
    this.gone = new Promise((resolve) => webSocket.once('close', () => resolve()));
    webSocket.on('message', (data: Buffer, isBinary) => this.#received(data, isBinary));
    webSocket.on('pong', () => {
      this.#heard = true;
    });
    webSocket.on('error', (error) => this.#inOrder(0, () => this.#end(CLOSE.policy, `connection broken: ${error.message}`)));
    webSocket.on('close', (code, reason) => this.#inOrder(0, () => this.#end(CLOSE.normal, closeText(code, reason))));
  }

  get node(): NodeId {
    if (this.#node === undefined) throw new Error('the worker has not introduced itself');
    return this.#node;
  }

  send(message: CoordinatorMessage): void {
    if (this.#state === 'ended') return;
    this.#outbox.push(message);
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      if (this.#flushPlanned) this.flush();
    });
  }

  flush(): void {
    this.#flushPlanned = false;
    if (this.#state !== 'ended') this.#flush();
  }

  close(reason: string): void {
    this.#end(CLOSE.normal, reason);
  }

  /** The program ends: the worker may come back when it is up again. */
  shutDown(): void {
    this.#end(CLOSE.goingAway, 'the coordinator is shutting down');
  }

  /** Tells the worker why it is not wanted, and closes. */
  refuse(message: string, retry: boolean): void {
    this.send({ type: 'refuse', message, retry });
    this.#end(CLOSE.policy, message);
  }

  /** Asks for a sign of life; a connection that gave none since the last time is taken for dead. */
  ping(): void {
    // While reading is paused the answer cannot be seen.
    if (!this.#heard && !this.#webSocket.isPaused) {
      this.#webSocket.terminate();
      this.#end(CLOSE.normal, 'the worker does not answer');
      return;
    }
    this.#heard = false;
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping();
  }

  #received(data: Buffer, isBinary: boolean): void {
    this.#heard = true;
    if (this.#state === 'ended') return;
    if (this.#state === 'greeting') this.#greet(data, isBinary);
    else if (isBinary) this.#receivedLog(data);
    else this.#receivedMessage(data);
  }

  #greet(data: Buffer, isBinary: boolean): void {
    const decoded = isBinary ? { error: 'the first message is not a hello' } : decodeHello(data);
    if ('error' in decoded) {
      this.refuse(decoded.error, false);
      return;
    }
    if (!this.#maySend(MESSAGE_ROLES.hello)) return;
    clearTimeout(this.#helloTimer);
    this.#state = 'open';
    this.#node = decoded.message.node.id;
    this.#owner.greeted(this, decoded.message);
  }

  #receivedMessage(data: Buffer): void {
    const decoded = decodeWorkerMessage(data);
    if ('error' in decoded) {
      this.refuse(decoded.error, true);
      return;
    }
    const { message } = decoded;
    if (!this.#maySend(MESSAGE_ROLES[message.type])) return;
    if (message.type === 'hello') {
      this.refuse('a second hello on one connection', true);
      return;
    }
    this.#inOrder(data.length, () => {
      if (this.#state === 'open') this.#owner.handlers.message(this, message);
    });
  }

  #receivedLog(data: Buffer): void {
    if (!this.#maySend(LOG_ROLES)) return;
    const frame = decodeLogFrame(data);
    if (typeof frame === 'string') {
      this.refuse(frame, true);
      return;
    }
    this.#hold(data.length);
    const write = this.#writeLog(frame).finally(() => this.#release(data.length));
    this.#settled = this.#settled.then(() => write);
  }

  #maySend(roles: readonly Role[]): boolean {
    const may = roles.some((role) => this.#owner.roles.includes(role));
    if (!may) this.refuse('your role may not say this', false);
    return may;
  }

  /** Acts at once, or when the log bytes that came before are written and what waited for them is done. */
  #inOrder(bytes: number, act: () => void): void {
    if (this.#underWay === 0) {
      act();
      return;
    }
    this.#hold(bytes);
    this.#settled = this.#settled.then(act).finally(() => this.#release(bytes));
  }

  #hold(bytes: number): void {
    this.#underWay += 1;
    this.#underWayBytes += bytes + FRAME_COST_BYTES;
    if (this.#underWayBytes > LIMITS.linkLogWindowBytes) this.#webSocket.pause();
  }

  #release(bytes: number): void {
    this.#underWay -= 1;
    this.#underWayBytes -= bytes + FRAME_COST_BYTES;
    if (this.#webSocket.isPaused && this.#underWayBytes <= LIMITS.linkLogWindowBytes / 2) this.#webSocket.resume();
  }

  /** Never rejects. */
  async #writeLog(frame: LogFrame): Promise<void> {
    try {
      await this.#owner.handlers.log(this, frame.attempt, frame.offset, frame.bytes);
    } catch (error) {
      this.#owner.logger.error('a log could not be written', { node: this.node, attempt: frame.attempt, error: String(error) });
      // The worker sends on from what is on disk when it is back.
      this.#end(CLOSE.internal, `the log of ${frame.attempt} could not be written`);
    }
  }

  #flush(): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    const { frames, errors } = this.#outbox.take();
    for (const error of errors) this.#owner.logger.error('a message to a worker was left out', { node: this.#node, error });
    this.#stream.cork();
    for (const frame of frames) this.#webSocket.send(frame);
    this.#stream.uncork();
    if (this.#webSocket.bufferedAmount <= LIMITS.linkBufferBytes) return;
    this.#webSocket.terminate();
    this.#end(CLOSE.policy, `the worker does not read: more than ${LIMITS.linkBufferBytes} bytes wait for it`);
  }

  #end(code: number, reason: string): void {
    if (this.#state === 'ended') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'ended';
    clearTimeout(this.#helloTimer);
    this.#closeSocket(code, reason);
    this.#owner.ended(this, reason, wasOpen);
  }

  #closeSocket(code: number, reason: string): void {
    if (this.#webSocket.readyState === this.#webSocket.CLOSED) return;
    this.#flush();
    // The answer to the close frame must be read, whatever waits before it.
    this.#webSocket.resume();
    this.#webSocket.close(code, cutReason(reason));
    const timer = setTimeout(() => this.#webSocket.terminate(), CLOSE_TIMEOUT_MS);
    this.#webSocket.once('close', () => clearTimeout(timer));
  }
}

/** Cut to what a close frame can carry, never in the middle of a character. */
function cutReason(reason: string): string {
  let cut = reason.slice(0, CLOSE_REASON_BYTES);
  while (Buffer.byteLength(cut) > CLOSE_REASON_BYTES) cut = cut.slice(0, -1);
  return cut;
}

/** The reason of a close frame for a person. */
export function closeText(code: number, reason: Buffer): string {
  if (reason.length > 0) return reason.toString('utf8');
  return code === 1006 ? 'connection lost' : `connection closed (${code})`;
}
