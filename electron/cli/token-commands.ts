import { LanyardError } from '../../shared/errors.ts';
import type { Role } from '../../shared/trust.ts';
import type { Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { plain } from './text.ts';
import { formatDuration } from './units.ts';

/** Tokens for people and scripts, and the log of who did what with them. */

export const tokens: Handler = async (context) => {
  const client = await context.connect();
  const answer = await client.call('listTokens', { signal: context.signal });
  if (context.options.json === true) {
    context.terminal.json(answer);
    return EXIT.ok;
  }
  const now = Date.now();
  context.terminal.table(
    [{ title: 'TOKEN' }, { title: 'NAME', flexible: true }, { title: 'ROLE' }, { title: 'EXPIRES' }, { title: 'USED', align: 'right' }],
    answer.tokens.map(({ id, name, role, expiresAt, lastUsedAt }) => [
      id,
      name,
      role,
      expiresAt === null ? 'never' : expiresAt <= now ? 'expired' : `in ${formatDuration(expiresAt - now)}`,
      lastUsedAt === null ? 'never' : `${formatDuration(Math.max(0, now - lastUsedAt))} ago`,
    ]),
  );
  return EXIT.ok;
};

/** Prints the token, once; beside it how it is used from other machines. */
export const createToken: Handler<{ readonly role: Role; readonly days: string }> = async (context, [name = ''], { role, days }) => {
  const client = await context.connect();
  const answer = await client.call('createToken', { body: { name, role, days: parseDays(days) }, signal: context.signal });
  const { terminal } = context;
  if (context.options.json === true) {
    terminal.json(answer);
    return EXIT.ok;
  }
  terminal.line(answer.token);
  terminal.note('it is shown this once; on this machine: LANYARD_TOKEN');
  for (const connection of answer.connections) terminal.note(`on others: LANYARD_URL='${connection}'`);
  return EXIT.ok;
};

function parseDays(text: string): number | null {
  if (text === 'never') return null;
  if (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= 3_650) return Number(text);
  throw new LanyardError({ code: 'INVALID', field: '--days', message: `--days is "${plain(text)}"; expected 1 to 3650, or never` });
}

export const revokeToken: Handler = async (context, ids) => {
  const client = await context.connect();
  const { tokens: known } = await client.call('listTokens', { signal: context.signal });
  const chosen = ids.map((wish) => {
    const fitting = known.filter(({ id, name }) => id === wish || name === wish);
    const [found, another] = fitting;
    if (found === undefined)
      throw new LanyardError({
        code: 'NOT_FOUND',
        field: 'TOKEN',
        message: `there is no token "${plain(wish)}"`,
        hint: '`lanyard token list` lists them',
      });
    if (another !== undefined)
      throw new LanyardError({
        code: 'CONFLICT',
        field: 'TOKEN',
        message: `"${plain(wish)}" could be ${fitting.map(({ id }) => id).join(', ')}`,
        hint: 'give the id',
      });
    return found;
  });
  for (const { id, name } of chosen) {
    await client.call('revokeToken', { params: { token: id }, signal: context.signal });
    if (context.options.json !== true) context.terminal.line(`token ${id} (${plain(name)}) is nobody's any more`);
  }
  if (context.options.json === true) context.terminal.json({ ok: true });
  return EXIT.ok;
};

export const audit: Handler<{ readonly limit: string; readonly before?: string }> = async (context, _operands, { limit, before }) => {
  const client = await context.connect();
  const query = { limit, ...(before === undefined ? {} : { before }) };
  const answer = await client.call('audit', { query, signal: context.signal });
  if (context.options.json === true) {
    context.terminal.json(answer);
    return EXIT.ok;
  }
  context.terminal.table(
    [
      { title: 'LINE', align: 'right' },
      { title: 'AT' },
      { title: 'EVENT' },
      { title: 'BY', flexible: true },
      { title: 'ABOUT', flexible: true },
    ],
    answer.entries.map(({ sequence, at, event, actor, target, detail }) => [
      String(sequence),
      new Date(at).toLocaleString('sv'),
      event,
      actor,
      [target, detail].filter((text) => text !== undefined).join(': '),
    ]),
  );
  return EXIT.ok;
};
