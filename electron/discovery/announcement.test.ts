import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FarmId, NodeId } from '../../shared/ids.ts';
import type { Announcement } from '../ports/discovery.ts';
import { assertSound, fromTxt, hostLabel, instanceLabel, toTxt } from './announcement.ts';

const announcement: Announcement = {
  farmId: 'farm-1' as FarmId,
  farmName: 'Studio',
  nodeId: 'node-1' as NodeId,
  nodeName: 'render-1',
  roles: ['coordinator', 'worker'],
  version: '0.1.0',
  ports: { api: 7420, peer: 7421 },
};
const strings = (txt: Readonly<Record<string, string>>) => Object.entries(txt).map(([key, value]) => Buffer.from(`${key}=${value}`));

describe('an announcement as TXT', () => {
  test('is read back as it was', () => {
    expect(fromTxt(strings(toTxt(announcement)))).toEqual(announcement);
    const quiet: Announcement = { ...announcement, roles: [], ports: { api: null, peer: null } };
    expect(fromTxt(strings(toTxt(quiet)))).toEqual(quiet);
  });

  test('fits its strings and is readable whatever the names are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 200 }), (farmName, nodeName) => {
        const named = { ...announcement, farmName, nodeName };
        const txt = strings(toTxt(named));
        expect(Math.max(...txt.map((one) => one.length))).toBeLessThanOrEqual(255);
        expect(fromTxt(txt)).toMatchObject({ nodeId: 'node-1', farmId: 'farm-1' });
        expect(Buffer.byteLength(instanceLabel(named))).toBeLessThanOrEqual(63);
        expect(instanceLabel(named)).not.toContain('.');
      }),
    );
  });

  test.each([
    ['another format', { v: '2' }],
    ['an id with a path in it', { n: '../node' }],
    ['an empty name', { nn: '' }],
    ['a control character in a name', { nn: 'a\u001b[2J' }],
    ['a mark that turns the direction of writing', { fn: 'a\u202eb' }],
    ['a long name', { fn: 'ä'.repeat(61) }],
    ['an unknown role', { r: 'x' }],
    ['a port too high', { a: '65536' }],
    ['a port that is no number', { p: '0x10' }],
    ['a version with markup', { s: '<b>' }],
  ])('with %s is refused', (_, change) => {
    expect(fromTxt(strings({ ...toTxt(announcement), ...change }))).toBeUndefined();
  });

  test('with too many strings, too long ones, or bytes that are no UTF-8 is refused', () => {
    const sound = strings(toTxt(announcement));
    expect(fromTxt([...sound, ...Array.from({ length: 33 }, () => Buffer.from('k=v'))])).toBeUndefined();
    expect(fromTxt([...sound, Buffer.from(`k=${'x'.repeat(254)}`)])).toBeUndefined();
    expect(fromTxt([...sound, Buffer.from([0x6b, 0x3d, 0xff])])).toBeUndefined();
  });

  test('may hold keys of later versions; the first of equal keys counts', () => {
    const txt = [
      ...strings(toTxt(announcement)),
      Buffer.from('later=1'),
      Buffer.from('flag'),
      Buffer.from('nn=other'),
      Buffer.from('__proto__=x'),
    ];
    expect(fromTxt(txt)).toEqual(announcement);
  });

  test('of any bytes at all gives an announcement or nothing', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 40 }), (txt) => fromTxt(txt) === undefined));
  });
});

test('two nodes of one name have different labels and hosts, and one node always the same', () => {
  const twin = { ...announcement, nodeId: 'node-2' as NodeId };
  expect(instanceLabel(announcement)).toMatch(/^render-1 \([0-9a-f]{8}\)$/);
  expect(instanceLabel(twin)).not.toBe(instanceLabel(announcement));
  expect(instanceLabel({ ...announcement, roles: [] })).toBe(instanceLabel(announcement));
  expect(hostLabel(twin.nodeId)).not.toBe(hostLabel(announcement.nodeId));
});

test('an announcement of our own that others would refuse is a programmer error', () => {
  expect(() => assertSound(announcement)).not.toThrow();
  expect(() => assertSound({ ...announcement, ports: { api: 0, peer: null } })).toThrow('not sound: a');
  expect(() => assertSound({ ...announcement, farmId: '' as FarmId })).toThrow('not sound: f');
});
