import { preferences, type Theme } from '../store/preferences.ts';
import { go } from './router.ts';

/** Something that can be done from anywhere, by name or by its keys. */
export interface Command {
  readonly id: string;
  readonly title: string;
  readonly group: 'Go to' | 'Look' | 'Help';
  /** Keys pressed one after the other. */
  readonly keys: readonly string[];
  readonly run: () => void;
}

/** A place on the screen that takes a search is found by this attribute. */
export const SEARCH_ATTRIBUTE = 'data-search';

export function createCommands(help: { readonly openPalette: () => void; readonly openShortcuts: () => void }): readonly Command[] {
  const theme = (value: Theme) => () => preferences.setState({ theme: value });
  return [
    { id: 'farm', title: 'Farm: map of the nodes', group: 'Go to', keys: ['g', 'f'], run: () => go({ name: 'farm' }) },
    { id: 'jobs', title: 'Jobs: the queue', group: 'Go to', keys: ['g', 'j'], run: () => go({ name: 'jobs' }) },
    { id: 'submit', title: 'Submit a job', group: 'Go to', keys: ['n'], run: () => go({ name: 'submit' }) },
    { id: 'settings', title: 'Settings', group: 'Go to', keys: ['g', 's'], run: () => go({ name: 'settings' }) },
    { id: 'search', title: 'Search on this page', group: 'Go to', keys: ['/'], run: focusSearch },
    { id: 'dark', title: 'Dark theme', group: 'Look', keys: [], run: theme('dark') },
    { id: 'light', title: 'Light theme', group: 'Look', keys: [], run: theme('light') },
    { id: 'system', title: 'Theme of the system', group: 'Look', keys: [], run: theme('system') },
    { id: 'compact', title: 'Compact rows', group: 'Look', keys: [], run: () => preferences.setState({ density: 'compact' }) },
    { id: 'roomy', title: 'Comfortable rows', group: 'Look', keys: [], run: () => preferences.setState({ density: 'comfortable' }) },
    { id: 'palette', title: 'Command palette', group: 'Help', keys: ['Ctrl K'], run: help.openPalette },
    { id: 'shortcuts', title: 'Keyboard shortcuts', group: 'Help', keys: ['?'], run: help.openShortcuts },
  ];
}

function focusSearch(): void {
  document.querySelector<HTMLInputElement>(`[${SEARCH_ATTRIBUTE}]`)?.focus();
}

/** Keys of a row of them must follow within this time (ms): a slow hand is none in error. */
const SEQUENCE_MS = 3_000;

/** Runs commands by their keys. Keys typed into a field are the field's. @returns how to end it */
export function listenForKeys(commands: readonly Command[]): () => void {
  let typed: { key: string; at: number } | undefined;
  const onKey = (event: KeyboardEvent) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      commands.find((command) => command.id === 'palette')?.run();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isEditing(event.target)) return;
    const first = typed !== undefined && event.timeStamp - typed.at < SEQUENCE_MS ? typed.key : undefined;
    const command =
      commands.find(({ keys }) => keys.length === 2 && keys[0] === first && keys[1] === event.key) ??
      commands.find(({ keys }) => keys.length === 1 && keys[0] === event.key);
    typed = { key: event.key, at: event.timeStamp };
    if (command === undefined) return;
    event.preventDefault();
    typed = undefined;
    command.run();
  };
  addEventListener('keydown', onKey);
  return () => removeEventListener('keydown', onKey);
}

function isEditing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable || target.matches('input:not([type="checkbox"]), textarea, select') || target.closest('[role="menu"]') !== null
  );
}
