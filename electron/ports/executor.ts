import type { AttemptId } from '../../shared/ids.ts';
import type { EndReason, Usage } from '../../shared/job.ts';
import type { LogStream, Phase } from '../../shared/protocol.ts';

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

export type RunEnd = Usage & {
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
  /** What is there to run in; absent: it needs no images. */
  images?(): Promise<readonly { readonly name: string; readonly bytes: number }[]>;
  /** Ends what an earlier life of this node left behind; called once, before any run. */
  removeStrays(): Promise<void>;
  close(): Promise<void>;
}
