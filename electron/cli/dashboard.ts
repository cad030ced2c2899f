import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import { findConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';

/** Prints the link that opens the dashboard with the token at hand. */
export const dashboard: Handler<object> = async (context) => {
  const { url, token, tls } = await findConnection(context.options, context.env);
  if (token === undefined || tls !== undefined)
    throw new LanyardError({
      code: 'CONFLICT',
      message: 'the coordinator is another machine, whose key no browser knows',
      hint: 'run `lanyard dashboard` there',
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
