import { describe, expect, it } from 'vitest';
import type { AttemptId } from '../../shared/ids.ts';
import type { RunSpec } from '../ports/executor.ts';
import { containerUser, imageAllowed, memoryMb, taskContainer } from './container-config.ts';

const facts = { title: 'Docker', apiVersion: '1.41', cpus: 4, rootless: false, isPodman: false };
const run: RunSpec = {
  attempt: '7.0.1' as AttemptId,
  folder: '/data/attempts/7.0.1',
  workdir: 'shots',
  command: 'render {frame}',
  image: 'blender:4',
  env: { HOME: '/work/home', LANYARD_FRAME: '7' },
  cpu: 16,
  ramMb: 2_048,
  gpus: [],
  network: false,
};
const create = (changes: Partial<RunSpec> = {}, dockerCpus?: number) =>
  taskContainer({
    run: { ...run, ...changes },
    image: 'blender:4',
    limits: { allowNetwork: false, dockerCpus },
    facts,
    user: { uid: 1000, gid: 100 },
    network: 'none',
    owner: { farm: 'farm-1', node: 'node-1' },
  });

describe("a task's container", () => {
  it('is confined', () => {
    expect(create()).toMatchObject({
      User: '1000:100',
      WorkingDir: '/work/shots',
      Entrypoint: ['/bin/sh', '-c', 'render {frame}'],
      Env: ['HOME=/work/home', 'LANYARD_FRAME=7'],
      Labels: { 'lanyard.farm': 'farm-1', 'lanyard.node': 'node-1', 'lanyard.attempt': '7.0.1' },
      HostConfig: {
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        ReadonlyRootfs: true,
        NetworkMode: 'none',
        Memory: 2_147_483_648,
        MemorySwap: 2_147_483_648,
        Init: true,
        Mounts: [{ Type: 'bind', Source: '/data/attempts/7.0.1', Target: '/work' }],
      },
    });
  });

  it('gets no more CPU than the engine has or the owner allows', () => {
    expect(create().HostConfig?.NanoCpus).toBe(4e9);
    expect(create({ cpu: 3 }, 1.5).HostConfig?.NanoCpus).toBe(1.5e9);
    expect(create({ cpu: 0.3 }).HostConfig?.NanoCpus).toBe(3e8);
  });

  it('gets the GPUs that are reserved for it, and only when there are any', () => {
    expect(create().HostConfig).not.toHaveProperty('DeviceRequests');
    expect(create({ gpus: ['GPU-1', 'GPU-2'] }).HostConfig?.DeviceRequests).toEqual([
      { DeviceIDs: ['GPU-1', 'GPU-2'], Capabilities: [['gpu']] },
    ]);
  });
});

describe("the owner's limits", () => {
  it('lower the memory, but never below what an engine takes', () => {
    expect(memoryMb({ ramMb: 512 }, { allowNetwork: false })).toBe(512);
    expect(memoryMb({ ramMb: 512 }, { allowNetwork: false, dockerMemoryMb: 256 })).toBe(256);
    expect(memoryMb({ ramMb: 1 }, { allowNetwork: false })).toBe(6);
  });

  it.for([
    ['debian', ['debian'], true],
    ['debian', ['debian:latest'], true],
    ['debian:12', ['debian:*'], true],
    ['ghcr.io/studio/blender:4', ['ghcr.io/studio/*'], true],
    ['ghcr.io/studio/deep/blender:4', ['ghcr.io/studio/*'], false],
    ['ghcr.io/studio/deep/blender:4', ['ghcr.io/studio/**'], true],
    ['evil/debian', ['debian*'], false],
    ['localhost:5000/app', ['localhost:5000/app:latest'], true],
    ['debian', [], false],
  ] as const)('say whether %s is among %s', ([image, allowedImages, allowed]) => {
    expect(imageAllowed(image, { allowNetwork: false, allowedImages })).toBe(allowed);
  });
});

describe('the user in a container', () => {
  it('is the own one, or nobody in place of root, or root where that is an ordinary user', () => {
    expect(containerUser(facts, 1000, 100)).toEqual({ uid: 1000, gid: 100 });
    expect(containerUser(facts, 0, 0)).toEqual({ uid: 65_534, gid: 65_534 });
    expect(containerUser(facts, undefined, undefined)).toEqual({ uid: 65_534, gid: 65_534 });
    expect(containerUser({ ...facts, rootless: true }, 1000, 100)).toEqual({ uid: 0, gid: 0 });
  });
});
