import { describe, expect, test } from 'vitest';
import type { FarmId, NodeId } from '../../shared/ids.ts';
import type { Announcement } from '../ports/discovery.ts';
import { createSightings, type Sighting } from './sightings.ts';

const said = (id: string, change: Partial<Announcement> = {}): Announcement => ({
  farmId: 'farm-1' as FarmId,
  farmName: 'Studio',
  nodeId: id as NodeId,
  nodeName: id,
  roles: ['worker'],
  version: '0.1.0',
  ports: { api: null, peer: 7421 },
  ...change,
});
const from = (id: string, address: string, change: Partial<Announcement> = {}, name = 'eth0'): Sighting => ({
  label: `label of ${id}`,
  announcement: said(id, change),
  address,
  interface: name,
});
const at = (ms: number) => ({ wallMs: 1_000_000 + ms, elapsedMs: ms });

describe('sightings', () => {
  test('of one node on several ways are one entry, heard last first', () => {
    const sightings = createSightings();
    expect(sightings.see(from('a', '10.0.0.1'), 100, at(0))).toBe(true);
    expect(sightings.see(from('a', '10.1.0.1', {}, 'wlan0'), 100, at(1))).toBe(true);
    expect(sightings.see(from('a', '10.0.0.1'), 100, at(2))).toBe(false);
    expect(sightings.found()).toEqual([
      { announcement: said('a'), addresses: ['10.0.0.1', '10.1.0.1'], interfaces: ['eth0', 'wlan0'], lastSeenAt: 1_000_002 },
    ]);
  });

  test('age out, each by the time it was last heard', () => {
    const sightings = createSightings();
    sightings.see(from('a', '10.0.0.1'), 100, at(0));
    sightings.see(from('b', '10.0.0.2'), 100, at(10));
    sightings.see(from('a', '10.0.0.1'), 100, at(50));
    expect(sightings.nextExpiryMs()).toBe(110);
    expect(sightings.expire(109)).toBe(false);
    expect(sightings.expire(110)).toBe(true);
    expect(sightings.found().map((node) => node.announcement.nodeId)).toEqual(['a']);
    expect(sightings.expire(150)).toBe(true);
    expect(sightings.nextExpiryMs()).toBeUndefined();
  });

  test('end a second after a goodbye, unless announced again', () => {
    const sightings = createSightings();
    sightings.see(from('a', '10.0.0.1'), 90_000, at(0));
    sightings.see(from('b', '10.0.0.2'), 90_000, at(0));
    sightings.goodbye('label of a', '10.0.0.1', 10);
    sightings.goodbye('label of b', '10.0.0.2', 10);
    expect(sightings.see(from('b', '10.0.0.2', { roles: [] }), 90_000, at(20))).toBe(true);
    expect(sightings.expire(1_009)).toBe(false);
    expect(sightings.expire(1_010)).toBe(true);
    expect(sightings.found().map((node) => node.announcement)).toEqual([said('b', { roles: [] })]);
  });

  test('are not ended by a goodbye from elsewhere', () => {
    const sightings = createSightings();
    sightings.see(from('a', '10.0.0.1'), 90_000, at(0));
    sightings.goodbye('label of a', '10.0.0.66', 10);
    sightings.goodbye('label of b', '10.0.0.1', 10);
    expect(sightings.nextExpiryMs()).toBe(90_000);
  });

  test('of a copied id that says something else stand apart', () => {
    const sightings = createSightings();
    sightings.see(from('a', '10.0.0.1'), 100, at(0));
    sightings.see(from('a', '10.0.0.66', { ports: { api: 1, peer: 1 } }), 100, at(1));
    expect(sightings.found().map((node) => node.addresses)).toEqual(expect.arrayContaining([['10.0.0.1'], ['10.0.0.66']]));
    expect(sightings.found()).toHaveLength(2);
  });

  test('are bounded, in all and by address; what is known stays', () => {
    const sightings = createSightings();
    expect(Array.from({ length: 20 }, (_, index) => sightings.see(from(`a${index}`, '10.0.0.1'), 100, at(0))).filter(Boolean)).toHaveLength(
      8,
    );
    for (let index = 0; index < 2_000; index += 1) sightings.see(from(`b${index}`, `10.1.${index >> 8}.${index & 255}`), 100, at(0));
    expect(sightings.found()).toHaveLength(1_000);
    expect(sightings.see(from('b0', '10.1.0.0'), 200, at(50))).toBe(false);
    sightings.expire(100);
    expect(sightings.found().map((node) => node.announcement.nodeId)).toEqual(['b0']);
  });

  test('are given with coordinators first, then by name', () => {
    const sightings = createSightings();
    for (const id of ['c', 'a', 'b'])
      sightings.see(from(id, `10.0.0.${id.charCodeAt(0)}`, id === 'c' ? { roles: ['coordinator'] } : {}), 100, at(0));
    expect(sightings.found().map((node) => node.announcement.nodeId)).toEqual(['c', 'a', 'b']);
  });
});
