import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DiscoveryInterface, FoundNode } from '../../electron/ports/discovery.ts';
import { createLan, type Host, type Lan, lanUnavailable } from './support/hosts.ts';

const ANNOUNCER = fileURLToPath(new URL('support/announcer.ts', import.meta.url));
const FAKER = fileURLToPath(new URL('support/faker.ts', import.meta.url));

interface Report {
  readonly found: readonly FoundNode[];
  readonly interfaces: readonly DiscoveryInterface[];
}

/** Only a goodbye can remove what such a node sees. */
const NEVER_FORGETS = ['--forgetMs', '100000'];

/** The program `support/announcer.ts` on a host. */
interface Announcer {
  readonly id: string;
  readonly host: Host;
  readonly child: ChildProcess;
  readonly reports: readonly Report[];
  start(): void;
  /** The first report, from the newest on, that is accepted. */
  until(accept: (report: Report) => boolean): Promise<Report>;
  /** It says goodbye and ends. */
  leave(): Promise<void>;
}

async function addAnnouncer(lan: Lan, id: string, ...flags: readonly string[]): Promise<Announcer> {
  const host = await lan.addHost();
  const child = host.spawn(process.execPath, [ANNOUNCER, '--id', id, '--name', id, ...flags]);
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  const reports: Report[] = [];
  const waiting = new Set<() => void>();
  const lines = createInterface({ input: stdout });
  await once(lines, 'line');
  lines.on('line', (line) => {
    const said = JSON.parse(line) as Report | { log: string };
    if ('log' in said) return;
    reports.push(said);
    for (const look of [...waiting]) look();
  });
  return {
    id,
    host,
    child,
    reports,
    start: () => void stdin.write('start\n'),
    until: (accept) =>
      new Promise((resolve) => {
        const look = (): void => {
          const newest = reports.at(-1);
          if (newest === undefined || !accept(newest)) return;
          waiting.delete(look);
          resolve(newest);
        };
        waiting.add(look);
        look();
      }),
    async leave() {
      const exited = once(child, 'exit');
      stdin.end();
      expect(await exited).toEqual([0, null]);
    },
  };
}

const idsIn = (report: Report): readonly string[] => report.found.map((node) => node.announcement.nodeId);
const sees =
  (...ids: readonly string[]) =>
  (report: Report) =>
    idsIn(report).toSorted().join() === ids.toSorted().join();
const addressesOf = (report: Report, id: string): readonly string[] =>
  report.found.find((node) => node.announcement.nodeId === id)?.addresses ?? [];

const reason = lanUnavailable();

describe.skipIf(reason !== undefined)(`discovery on a LAN${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let lan: Lan;
  beforeEach(async () => {
    lan = await createLan();
  });
  afterEach(async () => {
    await lan.close();
  });

  /** Announcers that see each other. */
  const startTogether = async (...nodes: readonly Announcer[]): Promise<void> => {
    for (const node of nodes) node.start();
    await Promise.all(nodes.map((node) => node.until((report) => report.found.length === nodes.length - 1)));
  };

  describe('four hosts', () => {
    let nodes: readonly Announcer[] = [];
    beforeEach(async () => {
      nodes = await Promise.all(['one', 'two', 'three', 'four'].map((id) => addAnnouncer(lan, id)));
    });

    test('discover each other in under 3 s', { timeout: 3_000 }, async () => {
      await startTogether(...nodes);
      for (const node of nodes) {
        const report = node.reports.at(-1) as Report;
        const others = nodes.filter((other) => other !== node);
        expect(idsIn(report).toSorted()).toEqual(others.map((other) => other.id).toSorted());
        for (const other of others) expect(addressesOf(report, other.id)).toEqual([other.host.address]);
        expect(report.interfaces.find((one) => one.name === 'eth0')).toMatchObject({ used: true, failure: null });
        expect(report.interfaces.find((one) => one.name === 'lo')).toMatchObject({ used: false });
      }
    });
  });

  test('a pulled cable makes a node vanish, a plugged one brings it back', async () => {
    const [one, two] = [await addAnnouncer(lan, 'one'), await addAnnouncer(lan, 'two')];
    await startTogether(one, two);
    await two.host.unplug();
    await Promise.all([one.until(sees()), two.until(sees())]);
    await two.host.plug();
    await Promise.all([one.until(sees('two')), two.until(sees('one'))]);
  });

  test('an address that changes is followed', async () => {
    const [one, two] = [await addAnnouncer(lan, 'one'), await addAnnouncer(lan, 'two')];
    await startTogether(one, two);
    await two.host.setAddress('10.77.0.77');
    await one.until((report) => addressesOf(report, 'two')[0] === '10.77.0.77');
    // The old address is forgotten in time.
    await one.until((report) => addressesOf(report, 'two').join() === '10.77.0.77');
  });

  test('a host on two networks is found on both, by its address there', async () => {
    const [both, here, there] = [await addAnnouncer(lan, 'both'), await addAnnouncer(lan, 'here'), await addAnnouncer(lan, 'there')];
    await lan.connect(both.host, there.host);
    await there.host.unplug();
    for (const node of [both, here, there]) node.start();
    const [ofBoth, ofHere, ofThere] = await Promise.all([
      both.until(sees('here', 'there')),
      here.until(sees('both')),
      there.until(sees('both')),
    ]);
    expect(addressesOf(ofBoth, 'here')).toEqual([here.host.address]);
    expect(addressesOf(ofBoth, 'there')).toEqual(['10.78.0.2']);
    expect(addressesOf(ofHere, 'both')).toEqual([both.host.address]);
    expect(addressesOf(ofThere, 'both')).toEqual(['10.78.0.1']);
    expect(ofBoth.found.map((node) => node.interfaces)).toEqual([['eth0'], ['eth1']]);
  });

  test('a node that leaves says goodbye', async () => {
    const [one, two] = [await addAnnouncer(lan, 'one', ...NEVER_FORGETS), await addAnnouncer(lan, 'two')];
    await startTogether(one, two);
    await Promise.all([two.leave(), one.until(sees())]);
  });

  test('a node that is killed ages out', async () => {
    const [one, two, three] = [await addAnnouncer(lan, 'one'), await addAnnouncer(lan, 'two'), await addAnnouncer(lan, 'three')];
    await startTogether(one, two, three);
    three.child.kill('SIGKILL');
    await one.until(sees('two'));
  });

  test('nodes of one name are told apart', async () => {
    const first = await addAnnouncer(lan, 'one', '--name', 'render');
    const second = await addAnnouncer(lan, 'two', '--name', 'render');
    const watcher = await addAnnouncer(lan, 'three', ...NEVER_FORGETS);
    await startTogether(first, second, watcher);
    expect(watcher.reports.at(-1)?.found.map((node) => node.announcement.nodeName)).toEqual(['render', 'render']);
    // The goodbye of one does not take the other along.
    await Promise.all([first.leave(), watcher.until(sees('two'))]);
  });

  test('garbage neither appears nor ends the program', async () => {
    const [one, two] = [await addAnnouncer(lan, 'one'), await addAnnouncer(lan, 'two')];
    await startTogether(one, two);
    const faker = (await lan.addHost()).spawn(process.execPath, [FAKER]);
    const report = await one.until((now) => idsIn(now).includes('last'));
    expect(faker.exitCode).toBeNull();
    expect(idsIn(report).toSorted()).toEqual(['last', 'two']);
    expect(one.reports.flatMap(idsIn).filter((id) => id !== 'last' && id !== 'two')).toEqual([]);
    expect([one.child.exitCode, two.child.exitCode]).toEqual([null, null]);
  });
});
