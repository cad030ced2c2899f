import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { openDevice } from '../../../electron/compose/device.ts';
import { parseInvite } from '../../../electron/trust/invite-text.ts';
import { pinnedClientOptions } from '../../../electron/trust/tls.ts';
import { splitAddress } from '../../../shared/address.ts';
import { ROLES } from '../../../shared/trust.ts';
import { startFarm, type TestFarm } from './farm.ts';

/** A farm to be attacked: a real coordinator process with a worker, and another farm, whose keys are worth nothing here. */
export interface AttackedFarm {
  readonly farm: TestFarm;
  readonly otherFarm: TestFarm;
  /** `host:port` of the API with TLS. */
  readonly apiAddress: string;
  readonly coordinatorCertificate: string;
  /** One for each role, and those that are expired, revoked and of the other farm, all three of administrators. */
  readonly tokens: Readonly<Record<string, string>>;
  /** Asks the API over TLS. */
  api(method: string, path: string, token?: string, more?: RequestOptions & { body?: string }): Promise<Asked>;
  close(): Promise<void>;
}

export async function startAttackedFarm(): Promise<AttackedFarm> {
  const expired = `lyd_${randomBytes(32).toString('base64url')}`;
  const farm = await startFarm({}, async (folder) => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const token = { name: 'expired', subject: 'expired', role: 'admin', createdAt: 1, expiresAt: 2, lastUsedAt: null };
    const sha256 = createHash('sha256').update(expired).digest('hex');
    await writeFile(join(folder, 'tokens.json'), JSON.stringify({ version: 2, tokens: [{ ...token, sha256 }] }), { mode: 0o600 });
  });
  const otherFarm = await startFarm();
  await farm.addWorker('victim', { host: true });
  const { text } = await farm.client.call('createInvite', { body: { role: 'worker' } });
  const apiAddress = parseInvite(text).addresses[0] ?? '';
  const coordinatorCertificate = (await openDevice(farm.coordinator.dataFolder)).identity.certificate;
  const tokens: Record<string, string> = { expired, other: otherFarm.connection.token };
  for (const role of ROLES) tokens[role] = (await farm.client.call('createToken', { body: { name: role, role } })).token;
  tokens.revoked = (await farm.client.call('createToken', { body: { name: 'revoked', role: 'admin' } })).token;
  const { tokens: listed } = await farm.client.call('listTokens');
  await farm.client.call('revokeToken', { params: { token: listed.find(({ name }) => name === 'revoked')?.id ?? '' } });
  return {
    ...{ farm, otherFarm, apiAddress, coordinatorCertificate, tokens },
    api: (method, path, token, more = {}) =>
      ask(apiAddress, {
        ...pinnedClientOptions(coordinatorCertificate),
        method,
        path,
        ...more,
        headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...more.headers },
      }),
    async close() {
      await farm.close();
      await otherFarm.close();
    },
  };
}

export interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** A request to a listener with TLS. */
export function ask(address: string, options: RequestOptions & { body?: string }): Promise<Asked> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ host, port, agent: false, ...options }, async (response) => {
      let text = '';
      for await (const part of response) {
        text += part;
        // A stream of events has no end.
        if (response.headers['content-type'] === 'text/event-stream') break;
      }
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
    });
    request.once('error', reject);
    request.end(options.body);
  });
}
