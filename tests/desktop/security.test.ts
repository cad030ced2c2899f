import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ElectronApplication, Page } from '@playwright/test';
import type { IpcBridge } from '../../shared/ipc.ts';
import { createHome, type Home } from './support/home.ts';
import { expect, test, watchConsole } from './support/test.ts';

/** What the window may do, looked at in the running app: the design's list of settings, one test each. */

declare global {
  interface Window {
    readonly lanyard: IpcBridge;
  }
}

let home: Home;
let app: ElectronApplication;
let page: Page;
let elsewhere: Server;
let foreign: string;
let visits: string[];

test.beforeAll(async () => {
  visits = [];
  elsewhere = createServer((request, response) => {
    visits.push(request.url ?? '');
    response.setHeader('access-control-allow-origin', '*');
    response.end('<script>window.stolen = typeof window.lanyard</script>elsewhere');
  });
  elsewhere.listen(0, '127.0.0.1');
  foreign = await new Promise((resolve) =>
    elsewhere.once('listening', () => resolve(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`)),
  );
  home = await createHome();
  app = await home.start();
  page = await app.firstWindow();
  await expect(page.getByRole('link', { name: 'Jobs' }).first()).toBeVisible();
});
test.afterAll(async () => {
  await home.remove();
  elsewhere.close();
});

test('the window runs confined, apart from the preload, and without Node', async () => {
  const preferences = await app.evaluate(({ BrowserWindow }) => {
    const contents = BrowserWindow.getAllWindows()[0]?.webContents as Electron.WebContents & {
      getLastWebPreferences(): Record<string, unknown>;
    };
    return contents.getLastWebPreferences();
  });
  expect(preferences).toMatchObject({
    contextIsolation: true,
    sandbox: true,
    nodeIntegration: false,
    webviewTag: false,
    webSecurity: true,
  });
  for (const name of ['require', 'process', 'module', 'Buffer', 'ipcRenderer', 'electron'])
    expect(await page.evaluate((global) => typeof (globalThis as Record<string, unknown>)[global], name), name).toBe('undefined');
  expect(await page.evaluate(() => Object.keys(window.lanyard).sort())).toEqual(['listen', 'open', 'request']);
});

test('the page cannot change what the preload gave it', async () => {
  const before = await page.evaluate(() => {
    const { request } = window.lanyard;
    try {
      (window.lanyard as { request: unknown }).request = () => 'mine';
      (globalThis as unknown as { lanyard: unknown }).lanyard = { request: () => 'mine' };
    } catch {
      // Refused aloud is refused.
    }
    return window.lanyard.request === request;
  });
  expect(before).toBe(true);
});

test('the window opens no other', async () => {
  visits = [];
  expect(await page.evaluate((address) => globalThis.open(address) === null, foreign)).toBe(true);
  await page.evaluate((address) => {
    const link = document.createElement('a');
    link.href = address;
    link.target = '_blank';
    document.body.append(link);
    link.click();
    link.remove();
  }, foreign);
  expect(await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
  expect(visits).toEqual([]);
});

test('every permission is denied but that to copy', async () => {
  const answers = await page.evaluate(async () => {
    const states: Record<string, string> = {};
    for (const name of ['geolocation', 'notifications', 'camera', 'microphone', 'midi', 'clipboard-read', 'persistent-storage'])
      states[name] = await navigator.permissions.query({ name: name as PermissionName }).then(
        ({ state }) => state,
        () => 'denied',
      );
    const media = await navigator.mediaDevices?.getUserMedia({ audio: true }).then(
      () => 'granted',
      () => 'denied',
    );
    return { ...states, media: media ?? 'denied', notification: await Notification.requestPermission() };
  });
  for (const [name, state] of Object.entries(answers)) expect(state, name).toBe('denied');
});

test('the content security policy holds: nothing from elsewhere, nothing inline, no evaluated code', async () => {
  visits = [];
  const refused = await page.evaluate(async (address) => {
    const violations: string[] = [];
    document.addEventListener('securitypolicyviolation', (event) => violations.push(event.effectiveDirective));
    const script = document.createElement('script');
    script.textContent = 'window.inlineRan = true';
    document.body.append(script);
    const remote = document.createElement('script');
    remote.src = address;
    document.body.append(remote);
    const frame = document.createElement('iframe');
    frame.src = address;
    document.body.append(frame);
    const image = new Image();
    image.src = `${address}pixel.png`;
    document.body.append(image);
    const fetched = await fetch(address).then(
      () => 'fetched',
      () => 'refused',
    );
    // In a turn of its own: what the debugger runs is above the policy.
    const evaluated = await new Promise<string>((resolve) =>
      setTimeout(() => {
        try {
          // biome-ignore lint/security/noGlobalEval: that it does not run is what is tested
          resolve(String(globalThis.eval('1 + 1')));
        } catch {
          resolve('refused');
        }
      }),
    );
    for (const element of [script, remote, frame, image]) element.remove();
    return { violations, fetched, evaluated, inline: 'inlineRan' in window };
  }, foreign);
  expect(refused).toMatchObject({ fetched: 'refused', evaluated: 'refused', inline: false });
  for (const directive of ['script-src-elem', 'img-src', 'connect-src']) expect(refused.violations).toContain(directive);
  expect(visits).toEqual([]);
});

test('the app serves its own files, and nothing beside them', async () => {
  const statuses = await app.evaluate(async ({ net }) => {
    const get = async (url: string) => (await net.fetch(url)).status;
    return {
      page: await get('app://lanyard/index.html'),
      parent: await get('app://lanyard/..%2f..%2fpackage.json'),
      encoded: await get('app://lanyard/%2e%2e/main/main.js'),
      absolute: await get('app://lanyard//etc/passwd'),
      other: await get('app://other/index.html'),
      broken: await get('app://lanyard/%E0%A4%A'),
    };
  });
  expect(statuses).toEqual({ page: 200, parent: 404, encoded: 404, absolute: 404, other: 404, broken: 404 });
});

test('a request that is not in the contract gets a typed error, and so does one that is too much', async () => {
  const answers = await page.evaluate(async () => {
    const ask = (message: unknown) => window.lanyard.request(message as never);
    return await Promise.all([
      ask(null),
      ask({ kind: 'exec', command: 'id' }),
      ask({ kind: 'call', name: 'constructor' }),
      ask({ kind: 'call', name: 'getJob', request: { params: { job: 1 }, extra: true } }),
      ask({ kind: 'upload-piece', stream: 1, bytes: new Uint8Array(5 * 1024 * 1024) }),
      ask({ kind: 'read-opened', token: '/etc/passwd', start: 0, end: 10 }),
      ask({ kind: 'change-desktop-settings', change: { updates: 'weekly' } }),
      // The browser opens pages by name; none that a window makes up.
      ask({ kind: 'open-page', page: 'https://elsewhere.example/' }),
      ask({ kind: 'pair', stream: 1, address: '127.0.0.1', coordinator: 'somebody' }),
      ask({ kind: 'start-engine', program: '/bin/sh' }),
    ]);
  });
  const codes = answers.map((answer) => (answer.ok ? 'ok' : answer.error.code));
  expect(codes).toEqual(['INVALID', 'INVALID', 'INVALID', 'INVALID', 'INVALID', 'NOT_FOUND', 'INVALID', 'INVALID', 'INVALID', 'INVALID']);
  expect(await page.evaluate(() => window.lanyard.open('/etc/passwd'))).toMatchObject({ ok: false, error: { code: 'INVALID' } });
});

test('a window may have so many streams, and no more', async () => {
  const codes = await page.evaluate(async () => {
    const streams = Array.from({ length: 80 }, (_, index) => 100_000 + index);
    const answers = await Promise.all(streams.map((stream) => window.lanyard.request({ kind: 'upload', stream })));
    for (const stream of streams) await window.lanyard.request({ kind: 'stop', stream });
    return answers.map((answer) => (answer.ok ? 'ok' : answer.error.code));
  });
  expect(codes.filter((code) => code === 'ok').length).toBeLessThanOrEqual(64);
  expect(codes).toContain('TOO_MANY');
});

test('IPC is refused to every frame but the app’s own page', async () => {
  // A page of elsewhere with the same preload, as no part of the app opens it.
  const answer = await app.evaluate(async ({ app, BrowserWindow }, address) => {
    const preload = `${app.getAppPath()}/out/preload/preload.cjs`;
    const other = new BrowserWindow({ show: false, webPreferences: { preload, sandbox: true, contextIsolation: true } });
    await other.loadURL(address);
    const answers = await other.webContents.executeJavaScript(
      `Promise.all([window.lanyard.request({ kind: 'call', name: 'listJobs' }), window.lanyard.open(new File([], 'x'))])`,
    );
    other.destroy();
    return answers;
  }, foreign);
  expect(answer).toEqual([
    { ok: false, error: { code: 'FORBIDDEN', message: expect.any(String) } },
    { ok: false, error: { code: 'FORBIDDEN', message: expect.any(String) } },
  ]);
});

test('a frame inside the app’s page is not the page', async () => {
  const answer = await app.evaluate(async ({ app, BrowserWindow }) => {
    const preload = `${app.getAppPath()}/out/preload/preload.cjs`;
    // The preload runs in frames here, which it does not in the app's own window.
    const other = new BrowserWindow({ show: false, webPreferences: { preload, sandbox: true, nodeIntegrationInSubFrames: true } });
    await other.loadURL('app://lanyard/index.html');
    await other.webContents.executeJavaScript(
      `new Promise((done) => { const frame = document.createElement('iframe'); frame.onload = done; frame.srcdoc = ''; document.body.append(frame); })`,
    );
    const [frame] = other.webContents.mainFrame.frames;
    const said = await frame?.executeJavaScript(
      `window.lanyard ? window.lanyard.request({ kind: 'call', name: 'listJobs' }) : 'nothing there'`,
    );
    other.destroy();
    return said;
  });
  expect(answer).toMatchObject({ ok: false, error: { code: 'FORBIDDEN' } });
});

test('what names and logs say stays text, and the console stays clean', async () => {
  const problems = await watchConsole(page);
  const client = await home.client();
  const name = '<img src=x onerror="window.stolen=1">';
  await client.call('submitJob', { body: { name, command: 'true', image: null, requirements: { cpu: 0.1, ramMb: 32 } } });
  await page.evaluate(() => {
    location.hash = '#/jobs';
  });
  await expect(page.getByText(name)).toBeVisible();
  expect(await page.evaluate(() => 'stolen' in window)).toBe(false);
  expect(problems).toEqual([]);
});

test('the window does not leave its page, not by a link, a script or a form', async () => {
  const url = page.url();
  visits = [];
  await page.evaluate((address) => {
    const link = document.createElement('a');
    link.href = address;
    document.body.append(link);
    link.click();
    link.remove();
    const form = document.createElement('form');
    form.action = address;
    document.body.append(form);
    form.submit();
    form.remove();
  }, foreign);
  await page.evaluate((address) => {
    location.href = address;
  }, foreign);
  await page.evaluate(() => {
    location.href = 'file:///etc/passwd';
  });
  // The page still answers, and is the one that it was. Playwright itself would wait for a navigation that was begun.
  const shown = await app.evaluate(({ BrowserWindow }) =>
    BrowserWindow.getAllWindows()[0]?.webContents.executeJavaScript('[location.href, document.querySelectorAll("nav").length]'),
  );
  expect(shown).toEqual([url, 1]);
  expect(visits).toEqual([]);
});
