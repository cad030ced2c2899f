import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Roster } from '../../shared/trust.ts';
import { addDevice } from './farm.ts';
import { openRoster } from './roster.ts';
import { farmOf, makeIdentity, temporaryFolder } from './trust.fixture.ts';

test('a roster that another process of the device wrote is taken, with everybody told; an older one is not', async () => {
  const path = join(await temporaryFolder(), 'roster.json');
  const [first, second] = [await makeIdentity(), await makeIdentity()];
  const node = await openRoster(path);
  const start = farmOf(first);
  const held = await node.start([start]);
  const heard: (Roster | undefined)[] = [];
  node.subscribe((roster) => heard.push(roster));

  const command = await openRoster(path);
  const next = addDevice(held, first, { name: 'second', certificate: second.certificate, roles: ['worker'] }, 2);
  await command.follow([next]);
  await node.reload();
  expect(heard).toEqual([next.roster]);
  expect(node.since(1)).toEqual([next]);
  await node.reload();
  expect(heard).toHaveLength(1);

  const later = addDevice(next.roster, first, { name: 'third', certificate: (await makeIdentity()).certificate, roles: ['viewer'] }, 3);
  await node.follow([later]);
  // It holds an older one, and writes it over the newer: what is in memory counts.
  await command.leave();
  await (await openRoster(path)).start([start]);
  await node.reload();
  expect(node.current).toEqual(later.roster);

  await command.leave();
  await node.reload();
  expect([node.current, heard.at(-1)]).toEqual([undefined, undefined]);
});
