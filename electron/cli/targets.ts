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
  const kind: Kind<NodeView> = {
    field: 'NODE',
    nameOf: ({ description }) => description.name,
    idOf: ({ description }) => description.id,
    missing: `there is no node "${wish}"`,
    hint: '`lanyard nodes` lists the nodes',
  };
  return choose(nodes, wish, wish, kind);
}

/**
 * Finds the device that a person means, as `chooseNode`; ids may have the hyphens with which they are shown.
 * @throws LanyardError NOT_FOUND, or CONFLICT when several fit
 */
export function chooseDevice<Device extends { readonly id: string; readonly name: string }>(
  devices: readonly Device[],
  wish: string,
  missing = `no device "${wish}" belongs to the farm`,
): Device {
  const kind: Kind<Device> = {
    field: 'DEVICE',
    nameOf: ({ name }) => name,
    idOf: ({ id }) => id,
    missing,
    hint: '`lanyard devices` lists the devices, and those that wait',
  };
  return choose(devices, wish, wish.toLowerCase().replaceAll('-', ''), kind);
}

interface Kind<T> {
  readonly field: string;
  readonly nameOf: (one: T) => string;
  readonly idOf: (one: T) => string;
  readonly missing: string;
  readonly hint: string;
}

function choose<T>(all: readonly T[], name: string, id: string, { field, nameOf, idOf, missing, hint }: Kind<T>): T {
  const exact = all.find((one) => idOf(one) === id);
  if (exact !== undefined) return exact;
  const named = all.filter((one) => nameOf(one) === name);
  const fitting = named.length > 0 ? named : all.filter((one) => id !== '' && idOf(one).startsWith(id));
  const [first, second] = fitting;
  if (first === undefined) throw new LanyardError({ code: 'NOT_FOUND', field, message: missing, hint });
  if (second !== undefined)
    throw new LanyardError({
      code: 'CONFLICT',
      field,
      message: `"${name}" could be ${fitting.slice(0, 5).map(idOf).join(', ')}`,
      hint: 'give more of the id',
    });
  return first;
}
