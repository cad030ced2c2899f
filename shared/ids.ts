/**
 * Identifiers. Each is branded, so that one cannot stand in for another by accident.
 *
 * A job's id is a small whole number that a farm never uses twice; a task is `JOB.INDEX` and an
 * attempt `JOB.INDEX.NUMBER`, so that every id says what it belongs to and a person can type it.
 */
declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

export type FarmId = Brand<string, 'FarmId'>;
export type NodeId = Brand<string, 'NodeId'>;
/** A positive whole number, unique in its farm. */
export type JobId = Brand<number, 'JobId'>;
/** `JOB.INDEX`, for example `12.0`; the index counts from 0. */
export type TaskId = Brand<string, 'TaskId'>;
/** `JOB.INDEX.NUMBER`, for example `12.0.1`; the number counts from 1 and grows with every placement. */
export type AttemptId = Brand<string, 'AttemptId'>;
/** The lower-case hexadecimal SHA-256 of a blob's bytes. */
export type BlobId = Brand<string, 'BlobId'>;

/** The parts of an attempt's id. */
export interface AttemptKey {
  readonly job: JobId;
  readonly index: number;
  readonly number: number;
}

/** The parts of a task's id. */
export interface TaskKey {
  readonly job: JobId;
  readonly index: number;
}

const TASK_ID = /^([1-9]\d{0,14})\.(0|[1-9]\d{0,8})$/;
const ATTEMPT_ID = /^([1-9]\d{0,14})\.(0|[1-9]\d{0,8})\.([1-9]\d{0,8})$/;
const BLOB_ID = /^[0-9a-f]{64}$/;
const NODE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function taskId(job: JobId, index: number): TaskId {
  return `${job}.${index}` as TaskId;
}

export function attemptId(job: JobId, index: number, number: number): AttemptId {
  return `${job}.${index}.${number}` as AttemptId;
}

/** @returns the parts of `text`, or undefined when it is not an attempt's id. */
export function parseAttemptId(text: string): AttemptKey | undefined {
  const match = ATTEMPT_ID.exec(text);
  if (match === null) return undefined;
  return { job: Number(match[1]) as JobId, index: Number(match[2]), number: Number(match[3]) };
}

/** @returns the parts of `text`, or undefined when it is not a task's id. */
export function parseTaskId(text: string): TaskKey | undefined {
  const match = TASK_ID.exec(text);
  if (match === null) return undefined;
  return { job: Number(match[1]) as JobId, index: Number(match[2]) };
}

export function isAttemptId(text: string): text is AttemptId {
  return ATTEMPT_ID.test(text);
}

export function isBlobId(text: string): text is BlobId {
  return BLOB_ID.test(text);
}

/** Letters, digits, `.`, `_` and `-`, beginning with a letter or digit, at most 128 characters. */
export function isNodeId(text: string): text is NodeId {
  return NODE_ID.test(text);
}
