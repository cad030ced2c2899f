import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SignedRoster } from '../../shared/trust.ts';
import { addDevice, changeRoles, createFarm, createFarmKey, moveCoordinator, removeDevice, verifyFirst, verifySuccessor } from './farm.ts';
import { openRoster, parseSignedRoster } from './roster.ts';
import { farmOf, makeIdentity, temporaryFolder } from './trust.fixture.ts';

async function threeDevices() {
  const [first, second, stranger] = await Promise.all([makeIdentity(), makeIdentity(), makeIdentity()]);
  const start = farmOf(first);
  const worker = { name: 'second', certificate: second.certificate, roles: ['worker'] as const };
  return { first, second, stranger, start, joined: addDevice(start.roster, first, worker, 2) };
}

test('a device that joins takes the roster of the farm and coordinator that it was told of, and no other', async () => {
  const { first, second, stranger, start, joined } = await threeDevices();
  const farm = start.roster.farm.id;
  const expected = { farm, coordinator: first.id, device: second.id };
  expect(verifyFirst(joined, expected).version).toBe(2);
  expect(verifyFirst(start, { ...expected, device: first.id }).version).toBe(1);
  expect(() => verifyFirst(joined, { ...expected, coordinator: stranger.id })).toThrow('another coordinator');
  expect(() => verifyFirst(farmOf(first), expected)).toThrow('another farm');
  expect(() => verifyFirst(start, expected)).toThrow('not in it');
});

test("a second farm cannot take the first one's id, which is its key's", async () => {
  const { first, start } = await threeDevices();
  const other = farmOf(first);
  const forged = { ...other, roster: { ...other.roster, farm: { ...other.roster.farm, id: start.roster.farm.id } } };
  expect(() => verifyFirst(forged, { farm: start.roster.farm.id, coordinator: first.id, device: first.id })).toThrow('not that of its key');
});

test('a change counts only when an administrator of the roster held has signed it', async () => {
  const { first, second, stranger, start, joined } = await threeDevices();
  expect(verifySuccessor(start.roster, joined)).toEqual(joined.roster);
  expect(() => verifySuccessor(joined.roster, joined)).toThrow('not newer');
  expect(() => verifySuccessor(joined.roster, start)).toThrow('not newer');
  expect(() => verifySuccessor(start.roster, { ...joined, signer: second.id })).toThrow('no administrator');
  expect(() => verifySuccessor(start.roster, { ...joined, signer: 'farm' })).toThrow('no administrator');
  // A worker that makes itself an administrator, and signs that.
  const promoted = changeRoles(joined.roster, first, second.id, ['admin']);
  const selfMade = {
    ...promoted,
    signer: second.id,
    signature: second.sign(Buffer.from('x')).toString('base64url'),
  } satisfies SignedRoster;
  expect(() => verifySuccessor(joined.roster, selfMade)).toThrow('no administrator');
  expect(() => verifySuccessor(joined.roster, { ...promoted, signature: selfMade.signature })).toThrow('signature');
  const edited = { ...promoted, roster: { ...promoted.roster, farm: { ...promoted.roster.farm, name: 'mine' } } };
  expect(() => verifySuccessor(joined.roster, edited)).toThrow('signature');
  expect(() => addDevice(joined.roster, second, { name: 'x', certificate: stranger.certificate, roles: ['admin'] }, 3)).toThrow(
    'not an administrator',
  );
});

test("an id that is not its key's is refused, as is a device that is in it twice", async () => {
  const { stranger, start, joined } = await threeDevices();
  const [one, two] = joined.roster.devices;
  if (one === undefined || two === undefined) throw new Error('two devices');
  const withDevices = (devices: typeof joined.roster.devices) => ({ ...joined, roster: { ...joined.roster, devices } });
  expect(() => verifySuccessor(start.roster, withDevices([one, { ...two, id: stranger.id }]))).toThrow('not that of its key');
  expect(() => verifySuccessor(start.roster, withDevices([one, two, two]))).toThrow('twice');
});

test('coordination moves with a new term, and the coordinator stays an administrator', async () => {
  const { first, second, joined } = await threeDevices();
  const moved = moveCoordinator(joined.roster, first, second.id);
  expect(verifySuccessor(joined.roster, moved)).toMatchObject({ coordinator: second.id, term: 2, version: 3 });
  expect(moved.roster.devices[1]?.roles).toEqual(['worker', 'admin']);
  expect(() => changeRoles(moved.roster, first, second.id, ['worker'])).toThrow('stays an administrator');
  expect(() => removeDevice(moved.roster, first, second.id)).toThrow('cannot be removed');
  const without = removeDevice(moved.roster, second, first.id);
  expect(verifySuccessor(moved.roster, without).devices).toHaveLength(1);
  // The old coordinator comes back, and tries to go on.
  expect(() => verifySuccessor(without.roster, changeRoles(moved.roster, first, second.id, ['admin']))).toThrow();
  expect(() => verifySuccessor(moved.roster, { ...moved, roster: { ...moved.roster, version: 9, term: 1 } })).toThrow('without a new term');
});

test('the roster is on disk, and follows only what holds', async () => {
  const { first, second, start, joined } = await threeDevices();
  const path = join(await temporaryFolder(), 'roster.json');
  const file = await openRoster(path);
  const seen: (number | undefined)[] = [];
  file.subscribe((roster) => seen.push(roster?.version));
  expect(file.current).toBeUndefined();
  await file.start([start]);
  await expect(file.start([start])).rejects.toMatchObject({ code: 'CONFLICT' });
  await file.follow([start, joined]);
  await expect(file.follow([{ ...removeDevice(joined.roster, first, second.id), signature: 'A'.repeat(86) }])).rejects.toMatchObject({
    code: 'FORBIDDEN',
  });
  expect((await openRoster(path)).current).toEqual(joined.roster);
  await file.leave();
  expect((await openRoster(path)).current).toBeUndefined();
  expect(seen).toEqual([1, 2, undefined]);
  await writeFile(path, '[]');
  await expect(openRoster(path)).rejects.toMatchObject({ code: 'INVALID' });
});

test('a device that slept through a change of administrators follows the chain, which stays short', async () => {
  const { first, second, start, joined } = await threeDevices();
  const folder = await temporaryFolder();
  const coordinator = await openRoster(join(folder, 'coordinator.json'));
  await coordinator.start([start]);
  const asleep = await openRoster(join(folder, 'asleep.json'));
  await asleep.start([start]);

  await coordinator.follow([joined]);
  let current = await coordinator.follow([moveCoordinator(joined.roster, first, second.id)]);
  current = await coordinator.follow([removeDevice(current, second, first.id)]);
  for (let change = 0; change < 10; change += 1) current = await coordinator.follow([changeRoles(current, second, second.id, ['admin'])]);

  const chain = coordinator.since(1);
  expect(chain.map(({ roster }) => roster.version)).toEqual([3, 4, 14]);
  await expect(asleep.follow(chain.slice(1))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  expect(await asleep.follow(chain)).toEqual(current);
  expect(coordinator.since(14)).toEqual([]);
});

test("a stranger's text is bounded and must be a roster", () => {
  const farmKey = createFarmKey();
  expect(() => parseSignedRoster('x'.repeat(3_000_000))).toThrow('too large');
  expect(() => parseSignedRoster('{"roster":')).toThrow('not valid');
  expect(() => createFarm({ farmKey, name: '', device: { name: 'a', certificate: 'none' }, works: true, nowMs: 0 })).toThrow('refused');
});
