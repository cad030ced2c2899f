import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import { type Connection, findConnection } from './connection.ts';
import type { Context, Handler } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { plain } from './text.ts';

/** Prints the link that opens the dashboard with the token at hand; of a coordinator elsewhere, with `--serve`, through this program. */
export const dashboard: Handler<{ readonly serve?: boolean; readonly port: string }> = async (
  context,
  _operands,
  { serve = false, port },
) => {
  const connection = await findConnection(context.options, context.env);
  const { url, token, tls } = connection;
  if (serve && tls !== undefined) return serveDashboard(context, connection, parsePort(port));
  if (token === undefined || tls !== undefined)
    throw new LanyardError({
      code: 'CONFLICT',
      message: 'the coordinator is another machine, whose key no browser knows',
      hint: '`lanyard dashboard --serve` shows it here, with the identity of this device',
    });
  const client = await context.connect();
  await client.call('farm');
  const link = dashboardLink({ url, token });
  if (context.options.json === true) context.terminal.json({ link });
  else context.terminal.line(link);
  if ((await fetch(new URL('/index.html', url), { method: 'GET' })).ok) return EXIT.ok;
  throw new LanyardError({
    code: 'NOT_FOUND',
    message: 'this coordinator was started without the files of the dashboard',
    hint: 'run `npm run build`, and start it again',
  });
};

/** Until Ctrl-C. */
async function serveDashboard(context: Context, connection: Connection, port: number): Promise<ExitCode> {
  const client = await context.connect();
  await client.call('farm', { signal: context.signal });
  const { startDashboardProxy } = await import('./dashboard-proxy.ts');
  const proxy = await startDashboardProxy(connection, port);
  try {
    const link = dashboardLink(proxy);
    if (context.options.json === true) context.terminal.json({ link }, 'compact');
    else context.terminal.line(link);
    context.terminal.note('open it in a browser on this machine; Ctrl-C ends it');
    if (!context.signal.aborted) await once(context.signal, 'abort');
    return EXIT.ok;
  } finally {
    await proxy.close();
  }
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new LanyardError({ code: 'INVALID', field: '--port', message: `--port is "${plain(text)}"; expected 0 to 65535` });
}

/** The token stands after the `#`, which browsers send to nobody. */
export function dashboardLink({ url, token }: { readonly url: string; readonly token: string }): string {
  return `${new URL(url).origin}/#token=${token}`;
}

/** @returns the folder of the built dashboard; undefined when it was not built */
export async function findDashboard(): Promise<string | undefined> {
  const folder = join(import.meta.dirname, '..', '..', 'out', 'renderer');
  const isBuilt = await access(join(folder, 'index.html')).then(
    () => true,
    () => false,
  );
  return isBuilt ? folder : undefined;
}
