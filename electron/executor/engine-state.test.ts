import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readEngineState, remedy, startCommand } from './engine-state.ts';

const folder = await mkdtemp(join(tmpdir(), 'lanyard-engine-state-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const machine = async (platform: NodeJS.Platform, programs: readonly string[]) => {
  const path = await mkdtemp(join(folder, 'bin-'));
  for (const name of programs) await writeFile(join(path, name), '', { mode: 0o755 });
  return { platform, home: folder, environment: { PATH: path } };
};

it('says what to type where there is no engine, for each system', async () => {
  for (const [platform, programs, command] of [
    ['linux', ['apt-get'], 'sudo apt-get install docker.io'],
    ['linux', ['dnf'], 'sudo dnf install podman'],
    ['linux', ['zypper'], 'sudo zypper install docker'],
    ['linux', ['pacman'], 'sudo pacman -S docker'],
    ['win32', [], 'winget install'],
    ['darwin', [], 'brew install'],
  ] as const)
    expect(remedy('absent', await machine(platform, programs)), platform).toMatchObject({
      state: 'absent',
      command: expect.stringContaining(command),
      canStart: false,
    });
  expect(remedy('absent', await machine('linux', []))).toEqual({ state: 'absent', command: null, canStart: false });
});

it('starts the engine that is installed, and none where nothing could', async () => {
  for (const [platform, programs, command] of [
    ['linux', ['systemctl', 'dockerd', 'podman'], 'systemctl start docker'],
    ['linux', ['systemctl', 'podman'], 'systemctl --user start podman.socket'],
    ['win32', ['docker.exe'], 'cmd /c start "" "C:\\Program Files\\Docker\\Docker\\Docker Desktop.exe"'],
    ['win32', ['podman.exe'], 'podman machine start'],
    ['darwin', ['docker'], 'open --background -a Docker'],
  ] as const)
    expect(remedy('stopped', await machine(platform, programs)), command).toEqual({ state: 'stopped', command, canStart: true });
  expect(remedy('stopped', await machine('linux', ['dockerd']))).toEqual({ state: 'stopped', command: null, canStart: false });
  expect(startCommand(await machine('linux', ['systemctl']))).toBeUndefined();
});

it('offers no start to who may not use the engine', async () => {
  const surroundings = await machine('linux', ['systemctl', 'dockerd']);
  expect(remedy('denied', surroundings)).toEqual({
    state: 'denied',
    command: expect.stringContaining('usermod -aG docker'),
    canStart: false,
  });
});

it('reads the version of an engine, and knows one that is too old', async () => {
  const socket = join(folder, 'engine.sock');
  let apiVersion = '1.41';
  // Its own words, as an engine says them.
  const engine = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(
      request.url === '/version'
        ? JSON.stringify({ Version: '20.10.24', ApiVersion: apiVersion, Components: [{ Name: 'Engine' }] })
        : JSON.stringify({ NCPU: 2, SecurityOptions: [] }),
    );
  });
  await new Promise<void>((resolve) => engine.listen(socket, resolve));
  try {
    expect(await readEngineState(socket)).toEqual({
      state: 'ready',
      message: 'Docker 20.10.24 (API 1.41)',
      command: null,
      canStart: false,
    });
    apiVersion = '1.38';
    expect(await readEngineState(socket)).toMatchObject({ state: 'old', message: expect.stringContaining('too old') });
  } finally {
    engine.closeAllConnections();
    engine.close();
  }
  expect(['stopped', 'absent']).toContain((await readEngineState(join(folder, 'none.sock'))).state);
});
