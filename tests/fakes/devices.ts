import { hostname } from 'node:os';
import type { ConnectionOptions } from 'node:tls';
import type { Client } from '../../electron/api/client.ts';
import { type Device, foundFarm, openDevice } from '../../electron/compose/device.ts';
import { openLocator } from '../../electron/compose/locator.ts';
import { type LanyardNode, type NodeOptions, startNode } from '../../electron/compose/node.ts';
import type { Logger } from '../../electron/ports/system.ts';
import { parseInvite } from '../../electron/trust/invite-text.ts';
import { joinByInvite } from '../../electron/trust/joining.ts';
import { pinnedClientOptions } from '../../electron/trust/tls.ts';
import { coordinatorSettingsSchema, workerSettingsSchema } from '../../shared/settings.ts';
import type { Role } from '../../shared/trust.ts';
import { silentLogger } from './silent-logger.ts';

/** Settings of a coordinator that is reached from this machine only, on ports that are free. */
export const LOOPBACK = { lanHost: '127.0.0.1', port: 0, apiPort: 0, peerPort: 0, discovery: false } as const;
/** A real node in this process: of a farm that it makes, or of that of an invite. */
export async function startTestNode(options: {
  readonly dataFolder: string;
  readonly coordinator?: Record<string, unknown>;
  readonly worker?: Record<string, unknown>;
  readonly invite?: string;
  readonly works?: boolean;
  readonly executors?: NodeOptions['executors'];
  readonly logger?: Logger;
  readonly senses?: NodeOptions['senses'];
}): Promise<LanyardNode> {
  const { dataFolder, invite, works = true, executors, senses, logger = silentLogger } = options;
  const device = await openDevice(dataFolder);
  if (device.roster.current === undefined) {
    if (invite === undefined) await foundFarm(device, String(options.coordinator?.farmName ?? 'farm'), hostname());
    else await joinTestFarm(device, invite);
  }
  return startNode({
    device,
    settings: {
      coordinator: coordinatorSettingsSchema.parse({ ...LOOPBACK, defaultImage: null, ...options.coordinator }),
      worker: workerSettingsSchema.parse({ discovery: false, ...options.worker }),
    },
    logger,
    coordinates: true,
    works,
    rosterPollMs: 100,
    ...(executors === undefined ? {} : { executors }),
    ...(senses === undefined ? {} : { senses }),
  });
}

export async function joinTestFarm(device: Device, invite: string, name = hostname()): Promise<void> {
  const { identity, roster } = device;
  const signal = AbortSignal.timeout(60_000);
  const joined = await joinByInvite(parseInvite(invite), { identity, roster, name, signal, waiting() {} });
  await (await openLocator({ device, discovery: undefined, logger: silentLogger })).learn([joined.coordinatorAt]);
}

/** The text of an invite for a worker, which lets it in at once. */
export async function inviteWorker(client: {
  call(name: 'createInvite', options: { readonly body: { readonly role: 'worker'; readonly approve: true } }): Promise<{ text: string }>;
}): Promise<string> {
  return (await client.call('createInvite', { body: { role: 'worker', approve: true } })).text;
}

/** A device of the farm in a role, with its own key in `dataFolder`; nothing runs on it. */
export async function joinAs(
  client: Pick<Client, 'call'>,
  dataFolder: string,
  role: Role,
): Promise<Device & { readonly tls: ConnectionOptions }> {
  const device = await openDevice(dataFolder);
  await joinTestFarm(device, (await client.call('createInvite', { body: { role, approve: true } })).text, role);
  return { ...device, tls: coordinatorTls(device) };
}

/** How a device connects to the coordinator that its roster names. */
function coordinatorTls({ identity, roster }: Device): ConnectionOptions {
  const coordinator = roster.current?.devices.find(({ id }) => id === roster.current?.coordinator);
  if (coordinator === undefined) throw new Error('the device belongs to no farm');
  return pinnedClientOptions(coordinator.certificate, identity);
}
