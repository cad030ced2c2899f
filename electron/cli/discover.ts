import { formatAddress } from '../../shared/address.ts';
import { lookAround } from '../compose/look.ts';
import { shortFingerprint } from '../trust/certificate.ts';
import { dataFolderOf, findDevice } from './connection.ts';
import type { Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { readSettingsFile, resolveSettings } from './settings.ts';
import { plain } from './text.ts';

/** Lists who announces itself on the local network. Announcements are hints of strangers: nothing here proves who somebody is. */
export const discover: Handler = async (context) => {
  const { terminal, env } = context;
  const dataFolder = dataFolderOf(context.options, env);
  const settings = resolveSettings({ flags: {}, environment: env, file: await readSettingsFile(dataFolder) });
  terminal.progress('listening on the local network');
  const [reading, device] = await Promise.all([lookAround(settings.worker), findDevice(dataFolder)]);
  terminal.progress(undefined);
  if (context.options.json === true) {
    terminal.json(reading);
    return EXIT.ok;
  }
  const { found, interfaces } = reading;
  terminal.table(
    [
      { title: 'FARM', flexible: true },
      { title: 'NODE', flexible: true },
      { title: 'ID' },
      { title: 'ROLES' },
      { title: 'ADDRESS' },
      { title: 'VERSION' },
    ],
    found.map(({ announcement: { farmName, nodeName, nodeId, roles, ports, version }, addresses }) => [
      farmName,
      nodeId === device?.identity.id ? `${nodeName} (this device)` : nodeName,
      shortFingerprint(nodeId),
      roles.join(',') || '-',
      addresses.map((host) => formatAddress(host, ports.api ?? ports.peer)).join(' '),
      version,
    ]),
  );
  const seen = new Set<string>();
  for (const { announcement } of found) {
    if (seen.has(announcement.nodeId))
      terminal.note(
        `two machines say that they are ${plain(announcement.nodeName)} (${shortFingerprint(announcement.nodeId)}): one is a copy, or lies`,
      );
    seen.add(announcement.nodeId);
  }
  const used = interfaces.filter((one) => one.used && one.failure === null).map(({ name }) => name);
  terminal.note(
    used.length === 0
      ? 'no interface leads to a local network; `lanyard doctor` says why'
      : `listened on ${used.join(', ')}; what is missing here may still be reached by its address, or by an invite`,
  );
  return EXIT.ok;
};
