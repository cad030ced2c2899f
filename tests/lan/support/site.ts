import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptView } from '../../../shared/view.ts';
import { createLan, type Host, type Lan, lanUnavailable } from './hosts.ts';
import { type FarmClient, type Program, type ProgramOptions, startProgram } from './program.ts';

/** Why no LAN can be made here; undefined where one can. */
export const reason = lanUnavailable();
/** The name of a test, with the reason why it is skipped. */
export const title = (what: string) => `${what}${reason === undefined ? '' : ` (skipped: ${reason})`}`;

/** A LAN with the real program on its hosts. */
export interface Site {
  readonly lan: Lan;
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Starts the program on `host`, or on a new one. */
  add(name: string, options?: Pick<ProgramOptions, 'invite' | 'flags' | 'times'> & { readonly host?: Host }): Promise<Program>;
  close(): Promise<void>;
}

export async function openSite(): Promise<Site> {
  const closing = new AbortController();
  const lan = await createLan();
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-lan-'));
  return {
    lan,
    folder,
    signal: closing.signal,
    add: async (name, { host, ...options } = {}) =>
      startProgram(host ?? (await lan.addHost()), { folder, name, signal: closing.signal, ...options }),
    async close() {
      closing.abort(new Error('the test is over'));
      await lan.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const online = ({ status }: { status: string }) => status !== 'OFFLINE';

/** A job of one task, or as many as `count` says, for nodes with a label. */
export const job = (command: string, where: string, more: object = {}) => ({
  command,
  image: null,
  requirements: { cpu: 0.1, ramMb: 16, labels: [where] },
  ...more,
});

export async function attemptsOf(client: FarmClient, id: number, index = 0): Promise<readonly AttemptView[]> {
  return (await client.call('getTask', { params: { job: id, index } })).attempts;
}
