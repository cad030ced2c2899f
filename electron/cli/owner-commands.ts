import { join, resolve } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import { openOwnerPause } from '../files/owner-pause.ts';
import { openReceipts } from '../files/receipts.ts';
import type { Context, Handler } from './context.ts';
import { defaultDataFolder } from './data-folder.ts';
import { EXIT } from './exit-codes.ts';
import { durationMs } from './job-flags.ts';
import { formatBytes, formatCpuTime, formatDuration, MIB, timeText } from './units.ts';

/** What the owner of this machine says to its own worker; no coordinator is asked. */
export const owner: Handler<{ readonly for?: string }> = async (context, [action], options) => {
  const pause = openOwnerPause(join(workerFolder(context), 'owner.json'));
  if (options.for !== undefined && action !== 'pause')
    throw new LanyardError({ code: 'INVALID', field: 'for', message: '--for goes with `lanyard owner pause`' });
  if (action === 'pause') {
    const forMs = durationMs('for', options.for);
    await pause.set(forMs === undefined ? null : Date.now() + forMs);
  } else if (action === 'resume') await pause.set(undefined);
  const until = await pause.until();
  const pausedUntil = until !== undefined && until !== null && until <= Date.now() ? undefined : until;
  if (context.options.json === true) context.terminal.json({ paused: pausedUntil !== undefined, pausedUntil: pausedUntil ?? null });
  else context.terminal.line(sentence(pausedUntil));
  return EXIT.ok;
};

/** What ran on this machine, for whom and for how long; read from its own files. */
export const receipts: Handler<{ readonly limit?: string }> = async (context, _operands, options) => {
  const limit = Number(options.limit ?? '100');
  if (!Number.isInteger(limit) || limit < 1)
    throw new LanyardError({ code: 'INVALID', field: 'limit', message: `--limit is "${options.limit}"; expected a whole number from 1` });
  const list = await openReceipts(join(workerFolder(context), 'receipts.jsonl')).list(limit);
  const { terminal } = context;
  if (context.options.json === true) {
    terminal.json({ receipts: list });
    return EXIT.ok;
  }
  terminal.table(
    [
      { title: 'STARTED' },
      { title: 'RAN FOR', align: 'right' },
      { title: 'FOR', flexible: true },
      { title: 'FARM', flexible: true },
      { title: 'TASK' },
      { title: 'JOB', flexible: true },
      { title: 'CPU', align: 'right' },
      { title: 'CPU TIME', align: 'right' },
      { title: 'PEAK MEMORY', align: 'right' },
      { title: 'ENDED' },
    ],
    list.map((receipt) => [
      timeText(receipt.startedAt),
      formatDuration(receipt.ranForMs),
      receipt.owner,
      receipt.farm,
      receipt.attempt,
      receipt.job,
      String(receipt.cpu),
      receipt.cpuMs === null ? '-' : formatCpuTime(receipt.cpuMs),
      receipt.peakRamMb === null ? '-' : formatBytes(receipt.peakRamMb * MIB),
      receipt.reason,
    ]),
  );
  return EXIT.ok;
};

/** The worker of this machine has its files there. */
function workerFolder(context: Context): string {
  const folder = context.options.data === undefined ? defaultDataFolder(context.env) : resolve(context.cwd, context.options.data);
  return join(folder, 'worker');
}

function sentence(pausedUntil: number | null | undefined): string {
  if (pausedUntil === undefined) return 'this machine is not paused';
  if (pausedUntil === null) return 'this machine is paused until `lanyard owner resume`';
  return `this machine is paused for ${formatDuration(pausedUntil - Date.now())}`;
}
