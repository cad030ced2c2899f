import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LanyardError } from '../../shared/errors.ts';
import { readSettingsFile, resolveSettings, type SettingSources } from './settings.ts';
import { SETTINGS } from './settings-table.ts';

const none: SettingSources = { flags: {}, environment: {} };

function refusal(sources: Partial<SettingSources>): LanyardError {
  try {
    resolveSettings({ ...none, ...sources });
  } catch (error) {
    if (error instanceof LanyardError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('resolveSettings', () => {
  test('without any source gives the defaults', () => {
    const { coordinator, worker } = resolveSettings(none);
    expect(coordinator).toMatchObject({ host: '127.0.0.1', port: 7420, defaultImage: 'debian:stable-slim' });
    expect(worker).toMatchObject({ host: false, docker: true, labels: {} });
    expect(worker.maxParallel).toBeUndefined();
  });

  test('the command line wins over the environment, and that over the file', () => {
    const file = {
      path: '/data/settings.json',
      text: '{ "coordinator": { "port": 1, "farmName": "file" }, "worker": { "maxParallel": 1, "zone": "z" } }',
    };
    const environment = { LANYARD_PORT: '2', LANYARD_MAX_PARALLEL: '2' };
    const { coordinator, worker } = resolveSettings({ flags: { port: '3' }, environment, file });
    expect(coordinator).toMatchObject({ port: 3, farmName: 'file' });
    expect(worker).toMatchObject({ maxParallel: 2, zone: 'z' });
  });

  test("understands the earlier system's variables, behind ours", () => {
    const environment = { MAX_PARALLEL_JOBS: '6', DOCKER_TIMEOUT: '90000', DOCKER_MEMORY_LIMIT: '1g', DOCKER_CPU_LIMIT: '4.0' };
    expect(resolveSettings({ ...none, environment }).worker).toMatchObject({
      maxParallel: 6,
      dockerTimeoutMs: 90_000,
      dockerMemoryMb: 1024,
      dockerCpus: 4,
    });
    expect(resolveSettings({ ...none, environment: { ...environment, LANYARD_MAX_PARALLEL: '2' } }).worker.maxParallel).toBe(2);
  });

  test('a number without a unit in DOCKER_MEMORY_LIMIT counts bytes, as the engine takes it', () => {
    expect(resolveSettings({ ...none, environment: { DOCKER_MEMORY_LIMIT: '536870912' } }).worker.dockerMemoryMb).toBe(512);
    expect(resolveSettings({ ...none, environment: { LANYARD_DOCKER_MEMORY_MB: '512' } }).worker.dockerMemoryMb).toBe(512);
  });

  test('reads durations, sizes, switches, lists, labels and "none"', () => {
    const flags = {
      heartbeat: '2s',
      'max-upload-bytes': '2g',
      'cache-mb': '1.5g',
      docker: false,
      'allow-host': true,
      label: ['gpu', 'site=north=1'],
      'default-image': 'none',
    };
    const { coordinator, worker } = resolveSettings({
      flags,
      environment: { LANYARD_ALLOWED_IMAGE: 'debian:*, node:*', LANYARD_ALLOW_NETWORK: 'yes' },
    });
    expect(coordinator).toMatchObject({ heartbeatMs: 2_000, maxUploadBytes: 2 * 1024 ** 3, defaultImage: null });
    expect(worker).toMatchObject({ cacheMb: 1536, docker: false, host: true, labels: { gpu: '', site: 'north=1' }, allowNetwork: true });
    expect(worker.allowedImages).toEqual(['debian:*', 'node:*']);
  });

  test('the address to listen on and the host executor do not get in each other’s way', () => {
    const { coordinator, worker } = resolveSettings({ ...none, environment: { LANYARD_HOST: '0.0.0.0' } });
    expect(coordinator.host).toBe('0.0.0.0');
    expect(worker.host).toBe(false);
  });

  test.each([
    [{ flags: { port: '99999' } }, /^command line, --port: coordinator\.port is "99999"; .*65535/],
    [{ flags: { port: 'http' } }, /^command line, --port: coordinator\.port is "http"; expected a number/],
    [
      { environment: { DOCKER_MEMORY_LIMIT: 'lots' } },
      /^environment, DOCKER_MEMORY_LIMIT: worker\.dockerMemoryMb is "lots"; expected a size/,
    ],
    [{ environment: { LANYARD_DOCKER: 'maybe' } }, /^environment, LANYARD_DOCKER: worker\.docker is "maybe"; expected true or false/],
    [{ file: { path: 's.json', text: '{"worker":{"maxParallel":"4"}}' } }, /^s\.json: worker\.maxParallel is "4"; .*number/],
    [{ file: { path: 's.json', text: '{"worker":{"maxParalel":4}}' } }, /^s\.json: worker\.maxParalel is no setting/],
    [{ file: { path: 's.json', text: '{"work":{}}' } }, /^s\.json: "work" is unknown/],
    [{ file: { path: 's.json', text: '{"worker":[]}' } }, /^s\.json: worker is \[\]; expected an object/],
    [{ file: { path: 's.json', text: '{' } }, /^s\.json is not JSON/],
  ])('%j is refused with source, setting, value and expectation', (sources, message) => {
    const error = refusal(sources);
    expect(error.code).toBe('INVALID');
    expect(error.message).toMatch(message);
  });
});

test('every setting has a flag and a variable of its own, except where both sections share one on purpose', () => {
  const shared = SETTINGS.filter((setting) => SETTINGS.some((other) => other !== setting && other.flag === setting.flag));
  expect(new Set(shared.map((setting) => setting.key))).toEqual(new Set(['discovery', 'interfaces', 'logBytesPerAttempt']));
  expect(SETTINGS.every((setting) => setting.description !== '')).toBe(true);
});

test('readSettingsFile gives nothing when there is no file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-settings-'));
  try {
    expect(await readSettingsFile(folder)).toBeUndefined();
    await writeFile(join(folder, 'settings.json'), '{}');
    expect(await readSettingsFile(folder)).toEqual({ path: join(folder, 'settings.json'), text: '{}' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
