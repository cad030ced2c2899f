import { useSyncExternalStore } from 'react';
import { parseAttemptId, parseTaskId } from '../../shared/ids.ts';

/** Where the screen is. It stands in the address after `#`, so that every place can be linked and gone back to. */
export type Page =
  | { readonly name: 'farm' }
  | { readonly name: 'node'; readonly node: string }
  | { readonly name: 'jobs' }
  | { readonly name: 'job'; readonly job: number; readonly task: number | null }
  | { readonly name: 'log'; readonly attempt: string }
  | { readonly name: 'submit' }
  | { readonly name: 'settings' };

/** The address of a page, for links. */
export function hrefOf(page: Page): string {
  switch (page.name) {
    case 'node':
      return `#/nodes/${encodeURIComponent(page.node)}`;
    case 'job':
      return page.task === null ? `#/jobs/${page.job}` : `#/jobs/${page.job}.${page.task}`;
    case 'log':
      return `#/logs/${page.attempt}`;
    default:
      return `#/${page.name}`;
  }
}

export function go(page: Page): void {
  location.hash = hrefOf(page);
}

/** @returns the page that an address names; the jobs for one that names none */
export function pageOf(hash: string): Page {
  const [name, rest = ''] = hash.replace(/^#\/?/, '').split('/');
  if (name === 'farm' || name === 'submit' || name === 'settings') return { name };
  if (name === 'nodes' && rest !== '') return { name: 'node', node: decoded(rest) };
  if (name === 'logs' && parseAttemptId(rest) !== undefined) return { name: 'log', attempt: rest };
  if (name === 'jobs') {
    const task = parseTaskId(rest);
    if (task !== undefined) return { name: 'job', job: task.job, task: task.index };
    if (/^[1-9]\d{0,14}$/.test(rest)) return { name: 'job', job: Number(rest), task: null };
  }
  return { name: 'jobs' };
}

export function usePage(): Page {
  return pageOf(useSyncExternalStore(subscribe, () => location.hash));
}

function subscribe(changed: () => void): () => void {
  addEventListener('hashchange', changed);
  return () => removeEventListener('hashchange', changed);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
