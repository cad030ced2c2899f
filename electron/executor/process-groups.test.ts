import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGroupRecords, groupLives, signalGroup } from './process-groups.ts';

let folder: string;
const groups: number[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-groups-'));
});
afterEach(async () => {
  for (const group of groups.splice(0)) signalGroup(group, 'SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

function startGroup(script: string) {
  const child = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const group = child.pid as number;
  groups.push(group);
  return { child, group };
}

describe('records of process groups', () => {
  it('let a next life end what the last one left', async () => {
    const { child, group } = startGroup('sleep 600');
    await createGroupRecords(folder).add(group);
    const exited = once(child, 'exit');
    expect(await createGroupRecords(folder).endStrays()).toBe(1);
    expect(await exited).toEqual([null, 'SIGKILL']);
    expect(await readdir(folder)).toEqual([]);
  });

  it('let it end a group whose leader is gone', async () => {
    const { child, group } = startGroup('sleep 600 & read never');
    await createGroupRecords(folder).add(group);
    child.stdin.end();
    await once(child, 'exit');
    expect(await groupLives(group)).toBe(true);
    expect(await createGroupRecords(folder).endStrays()).toBe(1);
    while (await groupLives(group)) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('spare another process that has got the number since', async () => {
    const { group } = startGroup('sleep 600');
    await createGroupRecords(folder).add(group);
    const file = join(folder, `${group}`);
    const [boot, ticks] = (await readFile(file, 'utf8')).split(' ');
    for (const birth of [`${boot} ${Number(ticks) - 1}`, `another-boot ${ticks}`, '']) {
      await writeFile(file, birth);
      expect(await createGroupRecords(folder).endStrays()).toBe(0);
      expect(await groupLives(group)).toBe(true);
    }
  });

  it('forget what has ended, and do not mind strange files', async () => {
    const { child, group } = startGroup('exit 0');
    const records = createGroupRecords(folder);
    await records.add(group);
    await records.remove(group);
    expect(await readdir(folder)).toEqual([]);
    if (child.exitCode === null) await once(child, 'exit');
    await writeFile(join(folder, 'notes.txt'), 'mine');
    await writeFile(join(folder, '1'), 'boot 1');
    expect(await records.endStrays()).toBe(0);
    expect(await readdir(folder)).toEqual(['notes.txt']);
  });
});
