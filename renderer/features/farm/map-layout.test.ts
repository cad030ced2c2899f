import { expect, test } from 'vitest';
import type { NodeView } from '../../../shared/view.ts';
import { CARD, layOutFarm } from './map-layout.ts';

const node = (id: string, zone: string) => ({ description: { id, zone } }) as unknown as NodeView;

test('no two cards overlap, each lies in its zone, and the same farm looks the same', () => {
  const nodes = Array.from({ length: 57 }, (_, index) => node(`n${index}`, ['b', 'a', ''][index % 3] as string));
  const layout = layOutFarm(nodes);
  expect(layout.nodes).toHaveLength(57);
  expect(layout.zones.map((zone) => [zone.name, zone.count])).toEqual([
    ['', 19],
    ['a', 19],
    ['b', 19],
  ]);
  for (const [index, one] of layout.nodes.entries()) {
    const zone = layout.zones.find(({ name }) => name === one.zone);
    expect(zone).toBeDefined();
    if (zone === undefined) continue;
    expect(one.x >= zone.x && one.x + CARD.width <= zone.x + zone.width).toBe(true);
    expect(one.y >= zone.y && one.y + CARD.height <= zone.y + zone.height).toBe(true);
    for (const other of layout.nodes.slice(index + 1))
      expect(Math.abs(one.x - other.x) >= CARD.width || Math.abs(one.y - other.y) >= CARD.height).toBe(true);
  }
  expect(layOutFarm(nodes)).toEqual(layout);
});

test('a zone of one machine is one card wide', () => {
  const layout = layOutFarm([node('only', '')]);
  expect(layout.zones[0]?.width).toBeLessThan(CARD.width * 2);
});
