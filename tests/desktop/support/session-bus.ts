import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, type MessageBus } from 'dbus-native';

/** The D-Bus of one person's session, on which a desktop and its programs meet. */
export interface SessionBus {
  /** As `DBUS_SESSION_BUS_ADDRESS` takes it. */
  readonly address: string;
  readonly client: MessageBus;
  close(): Promise<void>;
}

/** It starts no service by itself, so that none of this machine takes part. */
const configuration = (socket: string) => `<busconfig>
  <type>session</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
`;

/** @param folder where its socket and its configuration lie */
export async function startSessionBus(folder: string): Promise<SessionBus> {
  const file = join(folder, 'session-bus.conf');
  await writeFile(file, configuration(join(folder, 'session-bus')));
  const daemon = spawn('dbus-daemon', ['--config-file', file, '--nofork', '--nopidfile', '--print-address'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaint = '';
  daemon.stderr.on('data', (bytes: Buffer) => {
    complaint += bytes.toString();
  });
  const ended = once(daemon, 'exit');
  const failed = ended.then(() => Promise.reject(new Error(`dbus-daemon did not start: ${complaint}`)));
  const [line] = (await Promise.race([once(daemon.stdout, 'data'), failed])) as [Buffer];
  failed.catch(() => {});
  const address = line.toString().trim();
  const client = createClient({ busAddress: address });
  return {
    address,
    client,
    async close() {
      await client.close();
      daemon.kill();
      await ended;
    },
  };
}
