import { LanyardError } from '../../shared/errors.ts';
import type { NodeView } from '../../shared/view.ts';

/** A job, one of its tasks, or one attempt of it, as people type it: `12`, `12.0`, `12.0.1`. */
export interface Target {
  readonly job: number;
  readonly index: number | undefined;
  readonly number: number | undefined;
}

const TARGET = /^([1-9]\d{0,14})(?:\.(0|[1-9]\d{0,8})(?:\.([1-9]\d{0,8}))?)?$/;

/** @param parts how many numbers the command takes at most */
export function parseTarget(text: string, parts: 1 | 2 | 3): Target {
  const match = TARGET.exec(text);
  const given = text.split('.').length;
  if (match === null || given > parts)
    throw new LanyardError({
      code: 'INVALID',
      field: 'ID',
      message: `"${text}" is not ${['a job', 'a job or a task', 'a job, a task or an attempt'][parts - 1]}; expected ${['12', '12 or 12.0', '12, 12.0 or 12.0.1'][parts - 1]}`,
      hint: '`lanyard jobs` lists the jobs',
    });
  const [, job, index, number] = match;
  return {
    job: Number(job),
    index: index === undefined ? undefined : Number(index),
    number: number === undefined ? undefined : Number(number),
  };
}

/**
 * Finds the node that a person means: by its whole id, its name, or the beginning of one id only.
 * @throws LanyardError NOT_FOUND, or CONFLICT when several fit
 */
export function chooseNode(nodes: readonly NodeView[], wish: string): NodeView {
  const exact = nodes.find((node) => node.description.id === wish);
  if (exact !== undefined) return exact;
  const named = nodes.filter((node) => node.description.name === wish);
  const fitting = named.length > 0 ? named : nodes.filter((node) => node.description.id.startsWith(wish));
  const [first, second] = fitting;
  if (first === undefined)
    throw new LanyardError({
      code: 'NOT_FOUND',
      field: 'NODE',
      message: `there is no node "${wish}"`,
      hint: '`lanyard nodes` lists the nodes',
    });
  if (second !== undefined)
    throw new LanyardError({
      code: 'CONFLICT',
      field: 'NODE',
      message: `"${wish}" could be ${fitting
        .slice(0, 5)
        .map((node) => node.description.id)
        .join(', ')}`,
      hint: 'give more of the id',
    });
  return first;
}
