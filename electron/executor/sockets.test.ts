import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { advice, engineAddresses, knock, parseAddress } from './sockets.ts';

const folder = await mkdtemp(join(tmpdir(), 'lanyard-sockets-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const bare = { platform: 'linux' as const, home: '/home/ann', environment: {} };
const at = (socketPath: string, code: string) => ({ address: { socketPath }, code });

describe('where an engine is looked for', () => {
  it('is only the configured address, or DOCKER_HOST, when there is one', () => {
    const environment = { DOCKER_HOST: 'unix:///run/other.sock' };
    expect(engineAddresses('/my.sock', { ...bare, environment })).toEqual([{ socketPath: '/my.sock' }]);
    expect(engineAddresses(undefined, { ...bare, environment })).toEqual([{ socketPath: '/run/other.sock' }]);
  });

  it("is Docker's place first, then the user's own, then Podman's", () => {
    const paths = engineAddresses(undefined, { ...bare, environment: { XDG_RUNTIME_DIR: '/run/user/7' } });
    expect(paths[0]).toEqual({ socketPath: '/var/run/docker.sock' });
    expect(paths).toContainEqual({ socketPath: '/run/user/7/podman/podman.sock' });
    expect(paths.at(-1)).toEqual({ socketPath: '/run/podman/podman.sock' });
    expect(engineAddresses(undefined, { ...bare, platform: 'win32' })[0]).toEqual({ socketPath: '//./pipe/docker_engine' });
  });

  it('is read from every usual form', () => {
    expect(parseAddress('/a.sock')).toEqual({ socketPath: '/a.sock' });
    expect(parseAddress('unix:///a.sock')).toEqual({ socketPath: '/a.sock' });
    expect(parseAddress('npipe:////./pipe/docker_engine')).toEqual({ socketPath: '//./pipe/docker_engine' });
    expect(parseAddress('tcp://10.0.0.5:2376')).toEqual({ host: '10.0.0.5', port: 2376 });
    expect(parseAddress('tcp://engine')).toEqual({ host: 'engine', port: 2375 });
  });
});

describe('knocking', () => {
  it('tells a listener from an abandoned socket and from none', async () => {
    const socketPath = join(folder, 'open.sock');
    const server = createServer((socket) => socket.destroy()).listen(socketPath);
    await once(server, 'listening');
    expect(await knock({ socketPath })).toBeUndefined();
    const code = `require('net').createServer().listen(${JSON.stringify(join(folder, 'left.sock'))}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', code]);
    expect(await knock({ socketPath: join(folder, 'left.sock') })).toBe('ECONNREFUSED');
    expect(await knock({ socketPath: join(folder, 'none.sock') })).toBe('ENOENT');
    server.close();
  });
});

describe('advice', () => {
  it('says how to get the permission', () => {
    const message = advice([at('/a.sock', 'ENOENT'), at('/var/run/docker.sock', 'EACCES')], bare);
    expect(message).toContain('No permission');
    expect(message).toContain('usermod -aG docker');
  });

  it('says how to start an engine whose socket is there, or that is only installed', async () => {
    expect(advice([at('/var/run/docker.sock', 'ECONNREFUSED')], bare)).toMatch(/does not answer.*systemctl start docker/);
    await writeFile(join(folder, 'podman'), '', { mode: 0o755 });
    const installed = { ...bare, environment: { PATH: folder } };
    expect(advice([at('/var/run/docker.sock', 'ENOENT')], installed)).toMatch(/installed but not running.*systemctl start docker/);
  });

  it('says what to install when there is nothing', () => {
    expect(advice([at('/a.sock', 'ENOENT'), at('/b.sock', 'ENOENT')], bare)).toMatch(
      /No container engine was found in the usual places\. Install Docker/,
    );
    expect(advice([at('/a.sock', 'ENOENT')], bare)).toContain('found at /a.sock');
  });
});
