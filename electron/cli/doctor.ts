import { LanyardError } from '../../shared/errors.ts';
import type { Device } from '../compose/device.ts';
import type { Reached } from '../compose/examine.ts';
import { renderFindings } from '../discovery/doctor.ts';
import { dataFolderOf, findConnection, findDevice } from './connection.ts';
import type { Context, Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { readSettingsFile, resolveSettings } from './settings.ts';
import { plain } from './text.ts';

/** Measures what stands between this machine and a farm, and says what to do. Ends with 1 when something cannot work. */
export const doctor: Handler = async (context) => {
  const { terminal, env } = context;
  const dataFolder = dataFolderOf(context.options, env);
  const settings = resolveSettings({ flags: {}, environment: env, file: await readSettingsFile(dataFolder) });
  const device = await findDevice(dataFolder);
  terminal.progress('looking around for a few seconds');
  const { examine } = await import('../compose/examine.ts');
  const findings = await examine({ device, settings, reach: () => reach(context, device) });
  terminal.progress(undefined);
  const isSound = findings.every(({ level }) => level !== 'fail');
  if (context.options.json === true) terminal.json({ isSound, findings });
  else await terminal.write(renderFindings(findings));
  return isSound ? EXIT.ok : EXIT.jobFailed;
};

/** Talks with the coordinator as any command would. */
async function reach(context: Context, device: Device | undefined): Promise<Reached> {
  const { url, data } = context.options;
  const isNamed = url !== undefined || (data === undefined && (context.env.LANYARD_URL ?? '') !== '');
  if (!isNamed && device?.roster.current === undefined) return { coordinator: undefined };
  try {
    const connection = await findConnection(context.options, context.env);
    const { createClient } = await import('../api/client.ts');
    const client = createClient(connection);
    // What every device and every token may ask; so far ahead that nothing needs to be sent.
    await client.call('roster', { query: { since: Number.MAX_SAFE_INTEGER }, signal: context.signal });
    return { coordinator: { url: client.url }, at: connection };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof LanyardError)) throw error;
    return { coordinator: { failure: `${plain(error.message)}.`, fix: error.hint === undefined ? null : `${plain(error.hint)}.` } };
  }
}
