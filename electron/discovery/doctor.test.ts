import { describe, expect, test } from 'vitest';
import type { DiscoveryInterface } from '../ports/discovery.ts';
import { type DoctorFacts, diagnose, renderFindings } from './doctor.ts';

const eth0: DiscoveryInterface = {
  name: 'eth0',
  address: '192.168.1.5',
  used: true,
  reason: 'It looks like a local network.',
  failure: null,
  heardItself: true,
  heardOthers: true,
};
const docker0: DiscoveryInterface = {
  ...eth0,
  name: 'docker0',
  used: false,
  reason: 'By its name it is a container network.',
  heardItself: false,
};
const sound: DoctorFacts = {
  platform: 'linux',
  release: '6.1.0',
  interfaces: [eth0, docker0],
  unmatched: [],
  foundNodes: 3,
  ports: [{ name: 'API', host: '192.168.1.5', port: 7420, failure: null }],
  isOwnCoordinator: true,
  coordinator: { url: 'http://127.0.0.1:7420' },
  clock: { differenceMs: 300, uncertaintyMs: 600 },
  engines: [{ name: 'docker', status: { available: true, message: 'Docker 28.1' } }],
};
const about = (facts: Partial<DoctorFacts>, what: string) => diagnose({ ...sound, ...facts }).filter((finding) => finding.what === what);

describe('the doctor', () => {
  test('finds nothing wrong with a sound machine, and says of each interface what becomes of it', () => {
    const findings = diagnose(sound);
    expect(findings.map((finding) => finding.level)).toEqual(findings.map(() => 'ok'));
    expect(findings.map((finding) => finding.what)).toEqual([
      'interface eth0',
      'interface docker0',
      'multicast on eth0',
      'API port',
      'coordinator',
      'clock',
      'executor docker',
    ]);
    expect(findings[1]?.detail).toContain('ignored');
  });

  test.each<[string, Partial<DoctorFacts>, string, 'warn' | 'fail']>([
    ['a port 5353 that is taken', { interfaces: [{ ...eth0, failure: 'bind EADDRINUSE 0.0.0.0:5353' }] }, 'interface eth0', 'fail'],
    ['no interface', { interfaces: [docker0] }, 'local network', 'fail'],
    ['WSL', { release: '5.15.0-microsoft-standard-WSL2' }, 'local network', 'warn'],
    ['a setting that names nothing', { unmatched: ['eth7'] }, 'setting of interfaces', 'warn'],
    ['own packets that do not come back', { interfaces: [{ ...eth0, heardItself: false }] }, 'multicast on eth0', 'fail'],
    ['silence', { interfaces: [{ ...eth0, heardOthers: false }] }, 'multicast on eth0', 'warn'],
    ['a listener out of reach', { ports: [{ name: 'API', host: '192.168.1.5', port: 7420, failure: 'ECONNREFUSED' }] }, 'API port', 'fail'],
    [
      'a coordinator elsewhere out of reach',
      { isOwnCoordinator: false, ports: [{ name: 'peer', host: '10.0.0.7', port: 7422, failure: 'EHOSTUNREACH' }] },
      'peer port',
      'fail',
    ],
    ['a farm that is none', { coordinator: undefined }, 'coordinator', 'warn'],
    ['a coordinator that turns this device away', { coordinator: { failure: 'Refused.', fix: 'Join again.' } }, 'coordinator', 'fail'],
    ['a clock some seconds off', { clock: { differenceMs: -20_000, uncertaintyMs: 500 } }, 'clock', 'warn'],
    ['a clock hours off', { clock: { differenceMs: 7_200_000, uncertaintyMs: 500 } }, 'clock', 'fail'],
    ['a clock that cannot be read', { clock: { failure: 'no answer' } }, 'clock', 'warn'],
    [
      'an engine that is off',
      { engines: [{ name: 'docker', status: { available: false, message: 'No socket.' } }] },
      'executor docker',
      'fail',
    ],
  ])('tells of %s, and what to do', (_, facts, what, level) => {
    const findings = about(facts, what);
    expect(findings.map((finding) => finding.level)).toEqual([level]);
    expect(findings[0]?.fix).toMatch(/\.$/);
  });

  test('is content with one of the addresses of a coordinator elsewhere', () => {
    const reading = { name: 'peer', host: '10.0.0.7', port: 7422 };
    const ports = [
      { ...reading, failure: null },
      { ...reading, failure: 'ECONNREFUSED' },
    ];
    expect(about({ isOwnCoordinator: false, ports }, 'peer port').map(({ level }) => level)).toEqual(['ok', 'warn']);
  });

  test('does not take the coarseness of a reading for a difference', () => {
    expect(about({ clock: { differenceMs: 5_800, uncertaintyMs: 1_000 } }, 'clock')[0]?.level).toBe('ok');
  });

  test('is written one finding a line, with what to do under it', () => {
    expect(
      renderFindings([
        { level: 'ok', what: 'a', detail: 'b.', fix: null },
        { level: 'fail', what: 'c', detail: 'd.', fix: 'e.' },
      ]),
    ).toBe('ok    a: b.\nFAIL  c: d.\n      -> e.\n');
  });
});
