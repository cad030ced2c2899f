import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { joinTestFarm, startTestNode } from '../../tests/fakes/devices.ts';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import { type Client, createClient } from '../api/client.ts';
import { parseConnectionString } from '../trust/connection-string.ts';
import { fetchPinnedCertificate, pinnedClientOptions } from '../trust/tls.ts';
import { type Device, openDevice } from './device.ts';
import type { LanyardNode } from './node.ts';
import { reachCoordinator } from './reach.ts';

/** Talking with a coordinator from elsewhere, over real TLS: with the key of a device, and with a token. */

let folder: string;
let node: LanyardNode;
let admin: Client;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-reach-'));
  node = await startTestNode({ dataFolder: join(folder, 'first'), works: false });
  if (node.coordinator === undefined) throw new Error('the node does not coordinate');
  admin = createClient(node.coordinator.connection);
});
afterAll(async () => {
  await node.close();
  await rm(folder, { recursive: true, force: true });
});

async function joined(name: string, role: 'viewer' | 'submitter' | 'worker' | 'admin'): Promise<Device> {
  const device = await openDevice(join(folder, name));
  const { text } = await admin.call('createInvite', { body: { role, approve: true } });
  await joinTestFarm(device, text, name);
  return device;
}

const reach = (device: Device) => reachCoordinator({ device, logger: silentLogger, look: false, interfaces: [] });

test('a device speaks with its own key, and may what its roles allow', async () => {
  const device = await joined('submitter', 'submitter');
  const client = createClient(await reach(device));
  const job = await client.call('submitJob', { body: { command: 'true', image: null, name: 'from afar' } });
  const { owner } = await admin.call('getJob', { params: { job: job.id } });
  expect(owner).toBe(device.identity.id);
  await expect(client.call('createInvite', { body: {} })).rejects.toMatchObject({ code: 'FORBIDDEN' });

  const path = join(folder, 'large.bin');
  const bytes = randomBytes(3 * 1024 * 1024);
  await writeFile(path, bytes);
  expect(await client.uploadBlob(path)).toMatchObject({ bytes: bytes.length });
  for await (const event of client.watch()) {
    expect(event).toMatchObject({ type: 'snapshot', farm: { name: 'farm' } });
    break;
  }
  const aborted = AbortSignal.abort(new Error('no more'));
  await expect(client.call('listJobs', { signal: aborted })).rejects.toThrow('no more');
});

test('a device that was removed is not let in, also over a connection that it kept', async () => {
  const device = await joined('removed', 'viewer');
  const client = createClient(await reach(device));
  await client.call('listJobs');
  await admin.call('removeDevice', { params: { device: device.identity.id } });
  await expect(client.call('listJobs')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(reach(device)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('a connection string leads to whoever has the key in it, and to nobody else', async () => {
  const { connections } = await admin.call('createToken', { body: { name: 'ci', role: 'viewer' } });
  const { address, token, fingerprint } = parseConnectionString(connections[0] ?? '');
  const [host = '', port] = address.split(':');
  const certificate = await fetchPinnedCertificate(host, Number(port), fingerprint);
  const client = createClient({ url: `https://${address}`, token, tls: pinnedClientOptions(certificate) });
  expect(await client.call('farm')).toMatchObject({ name: 'farm', role: 'viewer' });

  const other = await openDevice(join(folder, 'other'));
  const mistaken = createClient({ url: `https://${address}`, token, tls: pinnedClientOptions(other.identity.certificate) });
  await expect(mistaken.call('farm')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(fetchPinnedCertificate(host, Number(port), other.identity.id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(createClient({ url: `https://${address}`, token }).call('farm')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(createClient({ url: 'https://127.0.0.1:9', token, tls: {} }).call('farm')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
