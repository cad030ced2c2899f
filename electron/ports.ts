import type { Readable } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type { AttemptId, BlobId, FarmId, JobId, NodeId } from '../shared/ids.ts';
import type { AttemptRow, EndReason, JobRow, JobSpec, JobState, OutputFile, OwnerRow, TaskRow, TaskState } from '../shared/job.ts';
import type { Capacity, Metrics, NodeRow } from '../shared/node.ts';
import type { CoordinatorMessage, Hello, LogStream, Phase, Welcome, WorkerMessage } from '../shared/protocol.ts';
import type { Receipt } from '../shared/receipt.ts';
import type { Template, TemplateView } from '../shared/template.ts';
import type {
  Admission,
  AuditEntry,
  AuditEvent,
  HandoverManifest,
  HandoverState,
  InviteInfo,
  JoinAnswer,
  JoinRequest,
  PairReply,
  PairReveal,
  PairStart,
  Role,
  Roster,
  SignedRoster,
  TokenInfo,
} from '../shared/trust.ts';

/**
 * The small interfaces between the daemons and the world. Each has one real adapter in a folder of its own, and
 * where tests need one a fake in `tests/fakes`, held to the same contract suite (`tests/contract`).
 */

/** Ends what it was returned for; calling it again does nothing. */
export type Dispose = () => void;

export interface Clock {
  /** Wall clock, ms since 1970. May jump. */
  wallMs(): number;
  /** Steady clock, ms; goes on while the machine sleeps, never goes back. */
  elapsedMs(): number;
  /** Calls `callback` once, after `ms` of the steady clock. */
  after(ms: number, callback: () => void): Dispose;
}

/** One line of the program's own log. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Who speaks, as the bearer token or the certificate showed. */
export interface Identity {
  /** A token's subject, or a device's id. */
  readonly subject: string;
  readonly roles: readonly Role[];
  /** The device whose key the connection showed; absent for a token. */
  readonly device?: NodeId;
}
export interface Authenticator {
  /** @returns who carries this token, or undefined when nobody does. Compares in constant time. */
  authenticate(token: string): Identity | undefined;
}

// ---------------------------------------------------------------------------------------------- trust

/**
 * Who belongs to the farm, as its coordinator has it. A change is on disk when its promise resolves, and in the audit log.
 * `from` is the network address of a stranger; `by` is who did it.
 */
export interface Membership {
  readonly roster: Roster;
  /** What a device that holds `version` of the roster needs to follow. */
  since(version: number): readonly SignedRoster[];
  /** @throws LanyardError FORBIDDEN, TOO_MANY, INVALID */
  join(request: JoinRequest, from: string): Promise<JoinAnswer>;
  /** @throws LanyardError TOO_MANY, INVALID */
  startPairing(message: PairStart, from: string): PairReply;
  /** @throws LanyardError GONE, FORBIDDEN */
  revealPairing(message: PairReveal, from: string): JoinAnswer;
  /** @throws LanyardError GONE for a request that is not known (any more) */
  joinState(admission: string): JoinAnswer;

  /** The link and the text hold its secret and are not kept. @throws LanyardError TOO_MANY, or CONFLICT when no other machine can reach this one */
  invite(
    options: { readonly role: Role; readonly isApproved: boolean },
    by: Identity,
  ): { readonly id: string; readonly link: string; readonly text: string; readonly role: Role; readonly expiresAt: number };
  invites(): readonly InviteInfo[];
  /** @throws LanyardError NOT_FOUND */
  revokeInvite(id: string, by: Identity): void;

  admissions(): readonly Admission[];
  /** @throws LanyardError GONE, CONFLICT */
  approve(admission: string, role: Role | undefined, by: Identity): Promise<void>;
  /** @throws LanyardError GONE, CONFLICT */
  refuse(admission: string, by: Identity): void;
  /** @throws LanyardError NOT_FOUND, CONFLICT */
  changeRoles(device: NodeId, roles: readonly Role[], by: Identity): Promise<void>;
  /** Takes the device that asks out of the farm. @throws LanyardError FORBIDDEN without one, CONFLICT for the coordinator */
  leave(by: Identity): Promise<void>;
  /** @throws LanyardError NOT_FOUND, CONFLICT */
  removeDevice(device: NodeId, by: Identity): Promise<void>;

  tokens(): readonly TokenInfo[];
  /** @param token `lifeMs` null: never expires. @throws LanyardError TOO_MANY */
  createToken(
    token: { readonly name: string; readonly role: Role; readonly lifeMs: number | null },
    by: Identity,
  ): Promise<{ readonly token: string; readonly connections: readonly string[] }>;
  /** @throws LanyardError NOT_FOUND */
  revokeToken(id: string, by: Identity): Promise<void>;

  record(event: AuditEvent, actor: string, about?: { readonly target?: string; readonly detail?: string }): void;
  /** Notes that somebody was turned away; floods are not noted line by line. */
  recordRefusal(from: string, detail: string): void;
  /** Newest first. */
  audit(query: { readonly before?: number; readonly limit: number }): Promise<readonly AuditEntry[]>;
}

/** Moves the farm from this coordinator to another device, which fetches everything and then says that it has it. */
export interface Handover {
  readonly state: HandoverState;
  /** Asks a connected device to take over. @throws LanyardError CONFLICT, NOT_FOUND */
  begin(device: NodeId, by: Identity): HandoverState;
  /** What there is to fetch. @throws LanyardError FORBIDDEN for all but the device that was asked, here and below */
  manifest(by: Identity): Promise<HandoverManifest>;
  /** @throws LanyardError NOT_FOUND for what is not in the manifest */
  file(by: Identity, path: string, offset: number): Promise<{ readonly bytes: number; readonly content: Readable }>;
  /** Stops all change, and gives the last state of what still changed. Goes on here when `complete` does not follow in time. */
  freeze(by: Identity): Promise<HandoverManifest>;
  /** From here on the other device coordinates. @param peerAddress where the farm will reach it */
  complete(by: Identity, peerAddress: string): Promise<readonly SignedRoster[]>;
  /** The device that was asked cannot go on: this one does. */
  abandon(by: Identity, reason: string): void;
}

// ---------------------------------------------------------------------------------------------- store

export interface StoredSpec {
  readonly spec: JobSpec;
  readonly owner: string;
  /** Bytes of the input blob; null without an input. */
  readonly inputBytes: number | null;
}

/** What one turn writes, in one transaction. */
export interface WriteBatch {
  /** New jobs' specifications, written once. */
  readonly specs: readonly { readonly job: JobId; readonly stored: StoredSpec }[];
  /** A later change of a specification: the input that arrived by URL. */
  readonly inputs: readonly { readonly job: JobId; readonly input: BlobId; readonly bytes: number }[];
  readonly jobs: readonly JobRow[];
  readonly tasks: readonly TaskRow[];
  readonly attempts: readonly AttemptRow[];
  readonly nodes: readonly NodeRow[];
  /** What owners have had of the farm. */
  readonly owners: readonly OwnerRow[];
  readonly removedNodes: readonly NodeId[];
  /** Whole jobs with tasks, attempts and outputs. */
  readonly removedJobs: readonly JobId[];
}

export interface JobQuery {
  readonly states?: readonly JobState[];
  readonly owner?: string;
  /** Part of the name, case-insensitive. */
  readonly search?: string;
  readonly order: 'newest' | 'oldest' | 'priority';
  readonly limit: number;
  readonly offset: number;
}

export interface ListedJob {
  readonly row: JobRow;
  readonly name: string;
  readonly owner: string;
}

export interface StoredOutput extends OutputFile {
  readonly index: number;
}

/** All that must outlive the program. Synchronous on purpose: one writer, group commit, no locks in the daemon. */
export interface Store {
  /** The first id that was never used. */
  nextJobId(): JobId;
  /** Jobs that have not ended, their specifications and their tasks' rows; and all nodes. */
  load(): {
    readonly jobs: readonly { readonly row: JobRow; readonly stored: StoredSpec; readonly tasks: readonly TaskRow[] }[];
    readonly nodes: readonly NodeRow[];
    readonly owners: readonly OwnerRow[];
  };
  /** @throws LanyardError DISK_FULL when nothing could be written (and nothing was) */
  commit(batch: WriteBatch): void;
  spec(job: JobId): StoredSpec | undefined;
  job(job: JobId): ListedJob | undefined;
  jobs(query: JobQuery): { readonly jobs: readonly ListedJob[]; readonly total: number };
  task(job: JobId, index: number): TaskRow | undefined;
  /** Rows that exist, ordered by index, from `fromIndex` on. */
  tasks(
    job: JobId,
    query: { readonly fromIndex: number; readonly limit: number; readonly states?: readonly TaskState[] },
  ): readonly TaskRow[];
  attempts(job: JobId, index: number): readonly AttemptRow[];
  outputs(job: JobId, index?: number): readonly StoredOutput[];
  node(node: NodeId): NodeRow | undefined;
  /** Every blob that a job or an output names, for the sweep of unnamed ones. */
  referencedBlobs(): ReadonlySet<BlobId>;
  /** A consistent copy while the farm works. */
  backup(path: string): Promise<void>;
  close(): void;
}

// ---------------------------------------------------------------------------------------------- link

/** One worker's connection, seen from the coordinator. */
export interface WorkerConnection {
  readonly node: NodeId;
  /** Queues the message; a worker that does not read is disconnected at `LIMITS.linkBufferBytes`. */
  send(message: CoordinatorMessage): void;
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

// ---------------------------------------------------------------------------------------------- files

export type ThumbnailSize = 'small' | 'large';

/** Small copies of the pictures among the blobs. */
export interface Thumbnails {
  /**
   * @returns WebP, whose longer side has 320 (small) or 1,600 (large) pixels at most
   * @throws LanyardError INVALID for what is no picture, TOO_LARGE, TOO_MANY, GONE; the reason of `signal` when its turn has not come
   */
  of(blob: BlobId, size: ThumbnailSize, signal: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface Blobs {
  /** @returns its size in bytes, or undefined when it is not here */
  size(blob: BlobId): Promise<number | undefined>;
  /** @returns the path of a blob that is here; nobody writes to it */
  path(blob: BlobId): string;
  read(blob: BlobId, range?: { readonly start: number; readonly end: number }): Readable;
  /** Stores a whole stream. @throws LanyardError TOO_LARGE, DISK_FULL, INVALID when the hash differs from `expect` */
  write(source: Readable, expect?: { readonly blob?: BlobId; readonly maxBytes?: number }): Promise<{ blob: BlobId; bytes: number }>;
  /** Bytes of an interrupted upload that are already here. */
  received(upload: BlobId): Promise<number>;
  /** Appends at `offset` (must equal `received`); when `total` is reached, verifies and renames into place. */
  append(
    upload: BlobId,
    offset: number,
    total: number,
    source: Readable,
  ): Promise<{ readonly received: number; readonly complete: boolean }>;
  remove(blob: BlobId): Promise<void>;
  /** Removes blobs and half uploads that nobody names and that are older than `olderThanMs`. @returns bytes freed */
  sweep(referenced: ReadonlySet<BlobId>, olderThanMs: number): Promise<number>;
}

/** Gets and puts blobs at the coordinator, resuming and verifying. */
export interface BlobTransfer {
  /** Bytes of blobs that went over the line so far, in both directions. */
  readonly movedBytes: number;
  fetch(blob: BlobId, bytes: number, into: Blobs, progress: (done: number) => void, signal: AbortSignal): Promise<void>;
  /** @returns the blob's id; skips the transfer when the coordinator has it */
  upload(path: string, progress: (done: number) => void, signal: AbortSignal): Promise<{ blob: BlobId; bytes: number }>;
}

/** The logs of attempts as files of framed records (see `LogRecord`), at the coordinator. */
export interface LogStore {
  /** Bytes on disk. */
  size(attempt: AttemptId): Promise<number>;
  /** Appends framed bytes at `offset`; bytes that are already there are skipped, a gap is refused. @returns the new size */
  append(attempt: AttemptId, offset: number, bytes: Uint8Array): Promise<number>;
  /** Frames and appends plain text, for workers that poll. */
  appendText(attempt: AttemptId, stream: LogStream, text: Uint8Array): Promise<number>;
  /** No more will come (or, after `reopen`, might): followers end. */
  finish(attempt: AttemptId): void;
  /** Framed bytes from `offset`; with `follow` it goes on until `finish`. */
  read(attempt: AttemptId, offset: number, follow: boolean, signal: AbortSignal): AsyncIterable<Uint8Array>;
  removeJob(job: JobId): Promise<void>;
}

/** Templates of jobs: those that come with the program, and a farm's own, which go before them. */
export interface Templates {
  /** By id. A file that is not a template is left out, and logged. */
  list(): Promise<readonly TemplateView[]>;
  /** @throws LanyardError NOT_FOUND; INVALID when its file is not a template */
  get(id: string): Promise<TemplateView>;
  /** @throws LanyardError TOO_MANY, TOO_LARGE, DISK_FULL */
  put(id: string, template: Template): Promise<TemplateView>;
  /** @throws LanyardError NOT_FOUND, CONFLICT for one that comes with the program */
  remove(id: string): Promise<void>;
}

// ---------------------------------------------------------------------------------------------- executor

export interface RunSpec {
  readonly attempt: AttemptId;
  /** The attempt's own writable folder; it is mounted, or is the parent of the working folder. */
  readonly folder: string;
  /** Relative to `folder`; exists. */
  readonly workdir: string;
  readonly command: string | readonly string[];
  readonly image: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly cpu: number;
  readonly ramMb: number;
  readonly gpus: readonly string[];
  readonly network: boolean;
}

/** Takes the output as it comes; the executor reads on only when the promise is settled. */
export type LogSink = (stream: LogStream, bytes: Uint8Array) => Promise<void> | undefined;

export type RunEnd = {
  readonly reason: Extract<EndReason, 'completed' | 'exit' | 'out-of-memory' | 'infrastructure'>;
  readonly exitCode: number | null;
  readonly message: string | null;
  readonly ranForMs: number;
};

/** A command that runs. */
export interface Run {
  /** Settles once everything of it is gone and its output has reached the sink. Never rejects. */
  readonly ended: Promise<RunEnd>;
  /** Asks it to end, and kills all of it after `graceMs`; resolves when it is gone. */
  stop(graceMs: number): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** From now on it gets `share` (0 to 1) of the CPU that it was given; 1 is all of it. */
  limitCpu(share: number): Promise<void>;
  /** CPU time that it has used, ms; undefined where that cannot be told, and after its end. */
  cpuMs(): Promise<number | undefined>;
}

/** Why a run could not be started. */
export interface RunRefused {
  readonly reason: Extract<EndReason, 'image-unavailable' | 'executor-unavailable' | 'infrastructure' | 'exit'>;
  readonly message: string;
}

export interface ExecutorStatus {
  readonly available: boolean;
  /** A sentence: the engine's version, or why there is none and what to do. */
  readonly message: string;
}

export interface Executor {
  readonly kind: 'docker' | 'host' | 'null';
  status(): Promise<ExecutorStatus>;
  /** Makes sure that the image is there, pulling it with progress. */
  prepare(image: string | null, progress: (phase: Phase) => void, signal: AbortSignal): Promise<RunRefused | undefined>;
  start(run: RunSpec, sink: LogSink): Promise<Run | RunRefused>;
  /** Ends what an earlier life of this node left behind; called once, before any run. */
  removeStrays(): Promise<void>;
  close(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------- workspace

/** An attempt's folder with its input in it. */
export interface Workspace {
  readonly folder: string;
  /** Files that match, staged and named; a glob without a match is in `missing`. */
  collect(
    globs: readonly string[],
    workdir: string,
  ): Promise<{ readonly files: readonly { path: string; source: string; bytes: number }[]; readonly missing: readonly string[] }>;
  remove(): Promise<void>;
}

export type WorkspaceResult = { readonly workspace: Workspace } | { readonly refused: EndReason; readonly message: string };

export interface Workspaces {
  /** Fetches, verifies and unpacks what is not in the cache, then makes a private writable copy of it for the attempt. */
  create(
    attempt: AttemptId,
    input: { readonly blob: BlobId; readonly bytes: number } | null,
    files: readonly { readonly path: string; readonly blob: BlobId; readonly bytes: number }[],
    progress: (phase: Phase) => void,
    signal: AbortSignal,
  ): Promise<WorkspaceResult>;
  /** Blobs unpacked in the cache, newest first. */
  cached(): readonly BlobId[];
  /** Removes folders of an earlier life. */
  removeStrays(): Promise<void>;
}

/** A worker's own copy of an attempt's log, kept until the coordinator has all of it. */
export interface LogSpool {
  /** Frames and writes; settles when the next write may come. At the cap the head stays and the tail is kept in a ring. */
  write(stream: LogStream, bytes: Uint8Array): Promise<void> | undefined;
  /** No more will be written: what the ring holds follows the line that says how much was left out. @returns the full framed length */
  end(): Promise<number>;
  /** Framed bytes from `offset` on as they come; ends after `end` when all was read. */
  read(offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Bytes that the coordinator has on disk. */
  acknowledge(offset: number): void;
  remove(): Promise<void>;
}

export interface LogSpools {
  open(attempt: AttemptId): Promise<LogSpool>;
  removeStrays(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------- discovery

/** What a node says of itself on the local network. Nobody has proved any of it: it is a hint where to knock. */
export interface Announcement {
  readonly farmId: FarmId;
  readonly farmName: string;
  readonly nodeId: NodeId;
  readonly nodeName: string;
  readonly roles: readonly ('coordinator' | 'worker')[];
  /** The program's version. */
  readonly version: string;
  /** Ports it listens on; null: it does not. */
  readonly ports: { readonly api: number | null; readonly peer: number | null };
}

export interface FoundNode {
  readonly announcement: Announcement;
  /** Where the announcement came from, heard last first. */
  readonly addresses: readonly string[];
  /** This machine's interfaces that it was heard on. */
  readonly interfaces: readonly string[];
  /** Wall clock, ms since 1970. */
  readonly lastSeenAt: number;
}

/** One interface of this machine, and what discovery makes of it. */
export interface DiscoveryInterface {
  readonly name: string;
  /** Its IPv4 address; null without one. */
  readonly address: string | null;
  readonly used: boolean;
  /** A sentence: why it is used, or ignored. */
  readonly reason: string;
  /** Why multicast cannot be opened there at the moment; null when it stands, or is not used. */
  readonly failure: string | null;
  /** Our own multicast came back to us. */
  readonly heardItself: boolean;
  /** Somebody else's multicast arrived, of whatever program. */
  readonly heardOthers: boolean;
}

/** Other nodes on the local network, by multicast DNS. Says nothing about who lives: heartbeats do. */
export interface Discovery {
  /** Announces this node, and again when something changed; null takes it back. */
  announce(announcement: Announcement | null): void;
  /** Everyone but this node, by farm and node. Two entries of one node id mean that somebody lies or was cloned. */
  found(): readonly FoundNode[];
  interfaces(): readonly DiscoveryInterface[];
  /** Calls back whenever `found` or `interfaces` would answer differently (times apart). */
  watch(listener: () => void): Dispose;
  /** Says goodbye and ends; resolves when the goodbye has left. */
  close(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------- machine

export interface Machine {
  readonly os: string;
  readonly arch: string;
  readonly hostName: string;
  /** All of it, before the owner's limits. */
  capacity(): Promise<Capacity>;
  metrics(): Promise<Metrics>;
}

/** What a machine can tell of what its owner does with it. */
export interface OwnerSenses {
  /** Since the last input of a person, ms; undefined when nobody can tell. */
  userIdleMs(): Promise<number | undefined>;
  /** Undefined: it has no battery, or does not tell. */
  onBattery(): Promise<boolean | undefined>;
  /** Time that all cores together were busy since the machine started, ms. */
  cpuBusyMs(): number;
  readonly cores: number;
  /** Of the week from Monday 00:00, by the machine's own wall clock. */
  minuteOfWeek(): number;
}

/** Brings machines up and down that are not there to be asked. */
export interface MachinePower {
  /** Nobody answers: whether it worked shows when the machine is there. */
  wake(macs: readonly string[]): Promise<void>;
  /** Has a machine made; it joins the farm by itself. */
  make(machine: string): Promise<void>;
  remove(machine: string): Promise<void>;
}

/** What ran on this machine, kept on it. */
export interface Receipts {
  /** @throws LanyardError DISK_FULL */
  add(receipt: Receipt): Promise<void>;
  /** The newest, newest first. */
  list(limit: number): Promise<readonly Receipt[]>;
}

/** The owner's own pause, which outlives a restart. */
export interface OwnerPause {
  /** Wall clock at which it ends, ms since 1970; null: when the owner says so; undefined: there is none. */
  until(): Promise<number | null | undefined>;
  set(until: number | null | undefined): Promise<void>;
}
