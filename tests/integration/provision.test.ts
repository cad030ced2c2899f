import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hardwareAddresses, magicPacket } from '../../electron/machine/wake-on-lan.ts';
import { inviteWorker } from '../fakes/devices.ts';
import { startFarm, type TestFarm } from './support/farm.ts';

/** Machines that come when work waits for them and go when nothing is left: a real command makes real nodes, real packets wake. */
const MAIN = new URL('../../electron/cli/main.ts', import.meta.url).pathname;

let folder: string;
let farm: TestFarm;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-provision-'));
});
afterEach(async () => {
  await farm?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Starts a node that carries the machine's name, and ends it. */
function hook(): string {
  return `#!/bin/sh
echo "$1 $2" >> "${folder}/log"
case "$1" in
start)
  LANYARD_INVITE="$(cat "${folder}/invite")" ${process.execPath} ${MAIN} up --data "${folder}/$2" --only worker --no-discovery \\
    --name "$2" --label "lanyard.machine=$2" --label vm --allow-host --no-docker > "${folder}/$2.log" 2>&1 &
  echo $! > "${folder}/$2.pid" ;;
stop)
  kill "$(cat "${folder}/$2.pid")" ;;
esac
`;
}

test('a command makes the machine that a job needs, and removes it when it had no work for a while', async () => {
  await writeFile(join(folder, 'hook.sh'), hook());
  await chmod(join(folder, 'hook.sh'), 0o755);
  farm = await startFarm({ provisionCommand: join(folder, 'hook.sh'), provisionLabels: { vm: '' }, provisionIdleMs: 1_000 });
  await writeFile(join(folder, 'invite'), await inviteWorker(farm.client));
  await farm.addWorker('mira', { host: true });
  const plain = await farm.submit({ name: 'plain', command: 'true', image: null, requirements: { cpu: 0.1, ramMb: 16 } });
  expect(await farm.untilEnded(plain.id)).toMatchObject({ state: 'COMPLETED' });

  const needs = { cpu: 0.1, ramMb: 16, labels: ['vm'] };
  const { id } = await farm.submit({ name: 'for a machine', command: 'true', image: null, requirements: needs });
  expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
  const { tasks } = await farm.client.call('listTasks', { params: { job: id } });
  const made = await farm.untilNode('machine-1', ({ status }) => status === 'OFFLINE');
  expect(tasks[0]?.node).toBe(made.description.id);
  expect(await readFile(join(folder, 'log'), 'utf8')).toBe('start machine-1\nstop machine-1\n');
});

test.skipIf(hardwareAddresses().length === 0)(
  'a machine whose owner allows it is put to sleep when it is idle, and woken by a packet when work waits that only it can do',
  async () => {
    const card = createSocket('udp4');
    card.bind(0, '127.0.0.1');
    await once(card, 'listening');
    const heard = once(card, 'message').then(([bytes]) => bytes as Buffer);
    farm = await startFarm({ wakeAddresses: [`127.0.0.1:${card.address().port}`] });
    await farm.addWorker('mira', { host: true });
    const slept = join(folder, 'slept');
    const nova = { host: true, labels: { tall: '' }, wakeable: true, sleepAfterMs: 500, sleepBy: `echo "$$" >> ${slept}` };
    const program = await farm.addWorker('nova', nova);
    const asleep = await farm.untilNode('nova', ({ status }) => status === 'OFFLINE');
    await expect.poll(() => readFile(slept, 'utf8').catch(() => '')).toMatch(/^\d+\n$/);
    // The machine is off from here on.
    await program.end('SIGKILL');
    const { macs } = asleep.description.power ?? { macs: [] };

    const { id } = await farm.submit({
      name: 'for nova',
      command: 'true',
      image: null,
      requirements: { cpu: 0.1, ramMb: 16, labels: ['tall'] },
    });
    const packet = await heard;
    expect(macs.map((mac) => Buffer.from(magicPacket(mac)).toString('hex'))).toContain(packet.toString('hex'));
    expect((await farm.untilNode('nova', ({ reason }) => reason === 'it is being woken')).status).toBe('OFFLINE');
    const explanation = await farm.client.call('explainJob', { params: { job: id } });
    expect(explanation.summary).toContain('1 machine that could serve it is being brought up (nova)');
    await farm.addWorker('nova', nova);
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
    card.close();
  },
);
