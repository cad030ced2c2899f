import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { chromium } from '@playwright/test';
import { createZip } from '../e2e/support/zip.ts';
import { IMAGES } from '../integration/support/images.ts';
import { drop } from './support/drop.ts';
import { createHome, type Home } from './support/home.ts';
import { type PackagedApp, packApp } from './support/package.ts';
import { expect, test } from './support/test.ts';

/** The unpacked package: what a person has after installing. Its inspector is off, so it is driven through its window alone. */

test.skip(process.platform !== 'linux', 'it packs for Linux');

let app: PackagedApp;
let home: Home;
test.beforeAll(async () => {
  test.setTimeout(120_000);
  app = await packApp();
  home = await createHome();
});
test.afterAll(async () => {
  await home?.remove();
  await app?.remove();
});

function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): { child: ChildProcess; output: () => string } {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const child = spawn(app.executable, [...sandbox, ...args], {
    env: { ...home.environment, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
  return { child, output: () => output };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

test('its fuses are set: no Node from outside, no inspector, only its own archive', async () => {
  const fuses = await getCurrentFuseWire(app.executable);
  const stateOf = (option: FuseV1Options) => FuseState[fuses[option] as FuseState];
  expect(stateOf(FuseV1Options.RunAsNode)).toBe('DISABLE');
  expect(stateOf(FuseV1Options.EnableNodeOptionsEnvironmentVariable)).toBe('DISABLE');
  expect(stateOf(FuseV1Options.EnableNodeCliInspectArguments)).toBe('DISABLE');
  expect(stateOf(FuseV1Options.EnableEmbeddedAsarIntegrityValidation)).toBe('ENABLE');
  expect(stateOf(FuseV1Options.OnlyLoadAppFromAsar)).toBe('ENABLE');
  expect(stateOf(FuseV1Options.EnableCookieEncryption)).toBe('ENABLE');
  expect(stateOf(FuseV1Options.GrantFileProtocolExtraPrivileges)).toBe('DISABLE');
});

test('a dropped zip finishes in it, in Docker, with a thumbnail', async () => {
  const { child, output } = start(['--remote-debugging-port=0']);
  try {
    await expect.poll(() => /DevTools listening on (ws:\S+)/.exec(output())?.[1]).toBeDefined();
    const browser = await chromium.connectOverCDP(/DevTools listening on (ws:\S+)/.exec(output())?.[1] as string);
    const [context] = browser.contexts();
    const window = context?.pages()[0] ?? (await context?.waitForEvent('page'));
    if (window === undefined) throw new Error('there is no window');
    await expect(window.getByRole('link', { name: 'Jobs' }).first()).toBeVisible();
    const picture = await readFile(join(import.meta.dirname, '../../resources/icons/png/32x32.png'));
    const job = {
      name: 'packaged',
      command: 'cp in.png out.png',
      image: IMAGES.busybox,
      outputs: ['out.png'],
      requirements: { cpu: 0.1, ramMb: 32 },
    };
    await drop(window, home, 'shot.zip', createZip({ 'lanyard.json': JSON.stringify(job), 'in.png': picture }));
    await window.getByRole('button', { name: 'Submit 1 task' }).click();
    await expect(window.getByText('1 of 1 task ended')).toBeVisible();
    const client = await home.client();
    const [newest] = (await client.call('listJobs')).jobs;
    const small = await client.thumbnail({ task: `${newest?.id}.0`, path: 'out.png' }, 'small');
    const bytes = Buffer.concat(await small.toArray());
    expect(bytes.subarray(8, 12).toString()).toBe('WEBP');
    await browser.close();
  } finally {
    await end(child);
  }
});

test('it is no Node for others, and opens no inspector', async () => {
  const asNode = start(['-e', 'console.log("node " + process.version)'], { ELECTRON_RUN_AS_NODE: '1' });
  const inspected = start(['--inspect=0', '--hidden'], { LANYARD_DATA: join(home.folder, 'other') });
  try {
    await expect
      .poll(() => readFile(join(home.folder, 'other/desktop/logs/lanyard.log'), 'utf8').catch(() => ''))
      .toContain('the app is up');
    expect(inspected.output()).not.toContain('Debugger listening');
    expect(asNode.output()).not.toContain('node v');
  } finally {
    await end(asNode.child);
    await end(inspected.child);
  }
});
