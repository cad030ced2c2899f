import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { errorValueOf } from '../client/http.ts';

export interface Toast {
  readonly id: number;
  readonly kind: 'done' | 'error';
  readonly title: string;
  readonly detail: string | null;
  /** A way back, or a place to go on. */
  readonly action: { readonly label: string; readonly run: () => void } | null;
}

const SHOWN = 4;
const LIFE_MS = 7_000;
/** A way back has to be read, reached and pressed; not everybody is quick. */
const LIFE_WITH_ACTION_MS = 30_000;

const toasts = createStore<{ readonly list: readonly Toast[] }>(() => ({ list: [] }));
let nextId = 1;

export function useToasts(): readonly Toast[] {
  return useStore(toasts, (state) => state.list);
}

/** Says that something is done. It goes by itself; errors stay until they are closed. */
export function toastDone(title: string, action: Toast['action'] = null): void {
  const id = add({ kind: 'done', title, detail: null, action });
  setTimeout(() => closeToast(id), action === null ? LIFE_MS : LIFE_WITH_ACTION_MS);
}

/** @param what for example "Cancel job 12" */
export function toastError(what: string, error: unknown): void {
  const { message, hint } = errorValueOf(error);
  add({ kind: 'error', title: `${what} did not work`, detail: hint === undefined ? message : `${message} ${hint}`, action: null });
}

export function closeToast(id: number): void {
  toasts.setState(({ list }) => ({ list: list.filter((toast) => toast.id !== id) }));
}

function add(toast: Omit<Toast, 'id'>): number {
  const id = nextId++;
  toasts.setState(({ list }) => ({ list: [...list, { ...toast, id }].slice(-SHOWN) }));
  return id;
}
