/**
 * Brings machines up when work waits that only they, or more machines, can do, and lets them go when nothing is left for them. One state
 * machine for sleeping computers that are woken and for machines that a command makes; what a machine is does not matter here.
 */
export interface ProvisionRules {
  /** Machines brought up by the farm that may be up, or coming up, at one time. */
  readonly most: number;
  /** How long work must have waited for machines that are busy, ms. Work that no machine which is up can do waits for nothing. */
  readonly afterMs: number;
  /** How long a machine may take to come up, or to go, ms. */
  readonly changeMs: number;
  /** How long a machine that did not come up is left alone, ms; doubles up to `backoffMostMs`. */
  readonly backoffMs: number;
  readonly backoffMostMs: number;
  /** How often a machine that is coming up is asked again, ms: a packet can get lost. */
  readonly repeatMs: number;
}

/** A machine that the farm may bring up, as it is now. */
export interface Machine {
  readonly id: string;
  /** `asked`: asking again does no harm while it comes up; `made`: it would be made twice. */
  readonly kind: 'asked' | 'made';
  readonly isUp: boolean;
  /** It is up and holds no work. */
  readonly isIdle: boolean;
  /** How long it may be idle before it is let go, ms; undefined: it is never let go. */
  readonly idleMs: number | undefined;
  /** Tasks that it takes at once. */
  readonly slots: number;
  /** Keys of the needs that it can serve. */
  readonly serves: ReadonlySet<string>;
}

/** Work of one kind that waits. */
export interface Need {
  readonly key: string;
  /** Tasks; more than there are machines for need not be counted. */
  readonly waiting: number;
  /** A machine that is up could do it, now or when it is free. */
  readonly isServed: boolean;
}

export interface ProvisionView {
  readonly machines: readonly Machine[];
  /** The most urgent first. Only those for which no machine that is up has room. */
  readonly needs: readonly Need[];
}

export type ProvisionEffect =
  | { readonly type: 'bring-up'; readonly machine: string; readonly isRepeat: boolean }
  /** Let it go; after one that did not come up, clear away what there is of it. */
  | { readonly type: 'let-go'; readonly machine: string };

type Phase = 'down' | 'coming' | 'up' | 'going';

interface Known {
  phase: Phase;
  sinceMs: number;
  /** The farm brought it up. */
  isOurs: boolean;
  askedMs: number;
  /** In a row. */
  failures: number;
  notBeforeMs: number;
  idleSinceMs: number | undefined;
}

export interface ProvisionState {
  readonly machines: Map<string, Known>;
  /** Since when a need has not been met, by its key. */
  readonly unmet: Map<string, number>;
}

export function createProvisionState(): ProvisionState {
  return { machines: new Map(), unmet: new Map() };
}

/** Looks at the farm; to be called every few seconds. @param nowMs steady clock */
export function provisionStep(state: ProvisionState, rules: ProvisionRules, view: ProvisionView, nowMs: number): ProvisionEffect[] {
  const effects: ProvisionEffect[] = [];
  const ids = new Set(view.machines.map(({ id }) => id));
  for (const id of state.machines.keys()) if (!ids.has(id)) state.machines.delete(id);
  for (const machine of view.machines) follow(state, rules, machine, nowMs, effects);
  noteNeeds(state, view.needs, nowMs);
  for (const need of view.needs) meet(state, rules, view, need, nowMs, effects);
  for (const machine of view.machines) letGoWhenIdle(state, view, machine, nowMs, effects);
  return effects;
}

/** @returns what the farm is doing with a machine, for people */
export function phaseOf(state: ProvisionState, machine: string): { readonly phase: Phase; readonly failures: number } | undefined {
  const known = state.machines.get(machine);
  return known === undefined ? undefined : { phase: known.phase, failures: known.failures };
}

/** @returns machines that were asked to come up and are not there yet */
export function comingMachines(state: ProvisionState): string[] {
  return [...state.machines].flatMap(([id, { phase }]) => (phase === 'coming' ? [id] : []));
}

function follow(state: ProvisionState, rules: ProvisionRules, machine: Machine, nowMs: number, effects: ProvisionEffect[]): void {
  let known = state.machines.get(machine.id);
  if (known === undefined) {
    // After a start of the coordinator nobody knows who brought it up; what was made was made by the farm.
    known = {
      phase: machine.isUp ? 'up' : 'down',
      sinceMs: nowMs,
      isOurs: machine.isUp && machine.kind === 'made',
      askedMs: nowMs,
      failures: 0,
      notBeforeMs: 0,
      idleSinceMs: undefined,
    };
    state.machines.set(machine.id, known);
  }
  const { phase } = known;
  const overdue = nowMs - known.sinceMs >= rules.changeMs;
  if (machine.isUp && (phase === 'down' || phase === 'coming' || (phase === 'going' && overdue))) {
    if (phase === 'down') known.isOurs = false;
    Object.assign(known, { phase: 'up', sinceMs: nowMs, failures: 0, idleSinceMs: undefined });
  } else if (!machine.isUp && (phase === 'up' || phase === 'going')) {
    Object.assign(known, { phase: 'down', sinceMs: nowMs, isOurs: false });
  } else if (!machine.isUp && phase === 'coming' && overdue) {
    known.failures++;
    const pauseMs = Math.min(rules.backoffMostMs, rules.backoffMs * 2 ** (known.failures - 1));
    Object.assign(known, { phase: 'down', sinceMs: nowMs, isOurs: false, notBeforeMs: nowMs + pauseMs });
    if (machine.kind === 'made') effects.push({ type: 'let-go', machine: machine.id });
  } else if (!machine.isUp && phase === 'coming' && machine.kind === 'asked' && nowMs - known.askedMs >= rules.repeatMs) {
    known.askedMs = nowMs;
    effects.push({ type: 'bring-up', machine: machine.id, isRepeat: true });
  }
}

function noteNeeds(state: ProvisionState, needs: readonly Need[], nowMs: number): void {
  const keys = new Set(needs.map(({ key }) => key));
  for (const key of state.unmet.keys()) if (!keys.has(key)) state.unmet.delete(key);
  for (const key of keys) if (!state.unmet.has(key)) state.unmet.set(key, nowMs);
}

function meet(
  state: ProvisionState,
  rules: ProvisionRules,
  view: ProvisionView,
  need: Need,
  nowMs: number,
  effects: ProvisionEffect[],
): void {
  if (need.isServed && nowMs - (state.unmet.get(need.key) ?? nowMs) < rules.afterMs) return;
  const known = (machine: Machine) => state.machines.get(machine.id) as Known;
  const able = view.machines.filter((machine) => machine.serves.has(need.key));
  let coming = able.filter((machine) => known(machine).phase === 'coming').reduce((sum, { slots }) => sum + slots, 0);
  const candidates = able.filter((machine) => known(machine).phase === 'down' && known(machine).notBeforeMs <= nowMs);
  // What has not failed goes first, what need not be made before what must, and few large machines before many small ones.
  candidates.sort(
    (one, other) =>
      known(one).failures - known(other).failures ||
      Number(one.kind === 'made') - Number(other.kind === 'made') ||
      other.slots - one.slots ||
      (one.id < other.id ? -1 : 1),
  );
  for (const machine of candidates) {
    if (coming >= need.waiting || oursUp(state) >= rules.most) return;
    Object.assign(known(machine), { phase: 'coming', sinceMs: nowMs, askedMs: nowMs, isOurs: true });
    coming += machine.slots;
    effects.push({ type: 'bring-up', machine: machine.id, isRepeat: false });
  }
}

function oursUp(state: ProvisionState): number {
  let count = 0;
  for (const { isOurs, phase } of state.machines.values()) if (isOurs && phase !== 'down') count++;
  return count;
}

/** A machine for which work waits is not let go: it would be brought up again at once. */
function letGoWhenIdle(state: ProvisionState, view: ProvisionView, machine: Machine, nowMs: number, effects: ProvisionEffect[]): void {
  const known = state.machines.get(machine.id);
  if (known?.phase !== 'up') return;
  const isWanted = view.needs.some(({ key }) => machine.serves.has(key));
  if (!machine.isIdle || isWanted || machine.idleMs === undefined) {
    known.idleSinceMs = undefined;
    return;
  }
  known.idleSinceMs ??= nowMs;
  if (nowMs - known.idleSinceMs < machine.idleMs) return;
  Object.assign(known, { phase: 'going', sinceMs: nowMs });
  effects.push({ type: 'let-go', machine: machine.id });
}
