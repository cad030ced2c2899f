import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FarmClient, Program } from './support/program.ts';
import { attemptsOf, job, online, openSite, reason, type Site, title } from './support/site.ts';

describe.skipIf(reason !== undefined)(title('on a farm with the times that it has by itself'), () => {
  let site: Site;
  let coordinator: Program;
  let workers: readonly Program[] = [];
  let client: FarmClient;

  beforeAll(async () => {
    site = await openSite();
    coordinator = await site.add('one', { times: 'default' });
    client = await coordinator.client();
    const flags = ['--label', 'pair=yes'];
    workers = [
      await site.add('two', { times: 'default', invite: await client.invite(), flags }),
      await site.add('three', { times: 'default', invite: await client.invite(), flags }),
    ];
    for (const { name } of workers) await client.untilNode(name, online);
  });
  afterAll(() => site?.close());

  /** Of the one node that runs a task of `id`, once it does. */
  async function runnerOf(id: number): Promise<Program> {
    await client.untilJob(id, ({ counts }) => counts.RUNNING === 1);
    const [first] = await attemptsOf(client, id);
    return workers.find((one) => one.id === first?.node) as Program;
  }

  test('a cable that is out for 5 s costs nothing', async () => {
    const { id } = await client.call('submitJob', { body: job('echo begun; sleep 8; echo done', 'pair=yes') });
    const { host } = await runnerOf(id);
    await host.unplug();
    await pause(5_000);
    await host.plug();
    expect(await client.untilEnded(id)).toMatchObject({ state: 'COMPLETED' });
    expect(await attemptsOf(client, id)).toHaveLength(1);
    expect(await client.logOf(id)).toBe('begun\ndone\n');
  });

  test('one that is out for 60 s: the task is queued again once, and its late result is refused and told', async () => {
    const { id } = await client.call('submitJob', { body: job('echo "on $LANYARD_ATTEMPT"; sleep 40', 'pair=yes') });
    const cut = await runnerOf(id);
    const other = workers.find((one) => one !== cut) as Program;
    await cut.host.unplug();
    const isBack = pause(60_000).then(() => cut.host.plug());
    expect(await client.untilEnded(id)).toMatchObject({ state: 'COMPLETED' });
    await isBack;
    await cut.untilLogged('a result came too late');
    await coordinator.untilLogged(`"attempt":"${id}.0.1"`);
    const attempts = await attemptsOf(client, id);
    expect(attempts.map(({ number, node, reason: why }) => ({ number, node, why }))).toEqual([
      { number: 1, node: cut.id, why: 'node-lost' },
      { number: 2, node: other.id, why: 'completed' },
    ]);
    expect(await coordinator.log()).toContain('a result came too late');
    await client.untilNode(cut.name, online);
  }, 240_000);
});
