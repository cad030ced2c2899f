import type { ConnectionOptions } from 'node:tls';
import type { AttemptId, NodeId } from '../../shared/ids.ts';
import type { CoordinatorMessage, Hello, Welcome, WorkerMessage } from '../../shared/protocol.ts';
import type { Identity } from './trust.ts';

/** One worker's connection, seen from the coordinator. */
export interface WorkerConnection {
  readonly node: NodeId;
  /**
   * Queues the message; what is queued in one go, until others have their turn, is sent together. A worker that does not read is
   * disconnected at `LIMITS.linkBufferBytes`.
   */
  send(message: CoordinatorMessage): void;
  /** Sends what is queued at once. */
  flush(): void;
  close(reason: string): void;
}

export interface LinkServerHandlers {
  /** A worker introduced itself. The answer goes out with `connection.send` once it is on disk. */
  hello(connection: WorkerConnection, hello: Hello, identity: Identity): void;
  message(connection: WorkerConnection, message: Exclude<WorkerMessage, { type: 'hello' }>): void;
  /** Bytes of an attempt's framed log beginning at `offset`. Resolves when they are written; messages sent after them wait for that. */
  log(connection: WorkerConnection, attempt: AttemptId, offset: number, bytes: Uint8Array): Promise<void>;
  closed(connection: WorkerConnection, reason: string): void;
}

export interface LinkClientHandlers {
  /** The connection stands; what `hello` should say now. */
  hello(): Hello;
  welcome(welcome: Welcome): void;
  message(message: Exclude<CoordinatorMessage, { type: 'welcome' | 'refuse' }>): void;
  /** Lost, or refused; the client tries again by itself unless `final`. */
  closed(reason: string, final: boolean): void;
}

/** Where the coordinator is reached, and how one makes sure that it is the coordinator. */
export interface Endpoint {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string;
  /** Sent as a bearer token where it is given. */
  readonly token?: string;
  /** Who must answer, and who asks. */
  readonly tls?: ConnectionOptions;
}

/** A worker's connection to its coordinator; reconnects with growing, jittered pauses. */
export interface LinkClient {
  /** Sends now when connected; otherwise the message is dropped: `hello` tells the whole truth again. */
  send(message: Exclude<WorkerMessage, { type: 'hello' }>): void;
  /** Sends log bytes; resolves when the window has room for more, rejects when the connection is lost. */
  sendLog(attempt: AttemptId, offset: number, bytes: Uint8Array): Promise<void>;
  readonly connected: boolean;
  close(): Promise<void>;
}
