import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { createLan, lanUnavailable } from './support/hosts.ts';

const reason = lanUnavailable();
const namespacesOf = (pid: number): readonly string[] =>
  execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.startsWith(`lanyard-${pid}-`));

/** A test run that makes a host with a program on it, and is then killed. */
const CRASHING = `
import { createLan } from ${JSON.stringify(new URL('support/hosts.ts', import.meta.url).href)};
const host = await (await createLan()).addHost();
console.log(host.spawn('sleep', ['1000']).pid);
`;

describe.skipIf(reason !== undefined)(`hosts of the LAN tests${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test('reach each other by cable only, and are gone when the LAN is closed', async () => {
    const lan = await createLan();
    const [one, two] = [await lan.addHost(), await lan.addHost()];
    const neighbours = () => two.run('ip', ['-brief', 'link', 'show', 'eth0']);
    expect(await neighbours()).toContain(' UP ');
    await two.unplug();
    expect(await neighbours()).not.toContain(' UP ');
    await two.plug();
    expect(await neighbours()).toContain(' UP ');
    expect(await one.run('ip', ['-4', '-brief', 'address', 'show', 'eth0'])).toContain(`${one.address}/24`);
    await lan.close();
    expect(namespacesOf(process.pid)).toEqual([]);
  });

  test('of a run that crashed are removed by the next one, with their programs', async () => {
    const crashing = spawn(process.execPath, ['--input-type=module', '-e', CRASHING], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [sleeper] = (await once(createInterface({ input: crashing.stdout }), 'line')) as [string];
    const pid = crashing.pid ?? 0;
    crashing.kill('SIGKILL');
    await once(crashing, 'exit');
    expect(namespacesOf(pid)).toHaveLength(2);
    expect(() => process.kill(Number(sleeper), 0)).not.toThrow();
    const lan = await createLan();
    expect(namespacesOf(pid)).toEqual([]);
    await lan.close();
  });
});
