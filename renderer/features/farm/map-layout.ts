import type { NodeView } from '../../../shared/view.ts';

export const CARD = { width: 248, height: 140 } as const;
const GAP = 20;
const ZONE_GAP = 56;
const ZONE_PADDING = 18;
const ZONE_TITLE = 34;
export const COORDINATOR = { width: 220, height: 64, below: 76 } as const;
/** A zone grows wider, not only longer, as its nodes grow. */
const ASPECT = 1.6;

export interface PlacedNode {
  readonly id: string;
  readonly zone: string;
  readonly x: number;
  readonly y: number;
}

export interface PlacedZone {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly count: number;
}

export interface MapLayout {
  readonly coordinator: { readonly x: number; readonly y: number };
  readonly zones: readonly PlacedZone[];
  readonly nodes: readonly PlacedNode[];
}

/**
 * Where everything stands: the coordinator above, a box for each zone beneath it, in rows about as wide as
 * a screen is, in each a block of nodes. The same farm always
 * looks the same: zones by name, nodes in the order given.
 */
export function layOutFarm(nodes: readonly NodeView[]): MapLayout {
  const byZone = [...Map.groupBy(nodes, (node) => node.description.zone)].sort(([a], [b]) => a.localeCompare(b));
  const zones: PlacedZone[] = [];
  const placed: PlacedNode[] = [];
  const widest = Math.sqrt(nodes.length * ASPECT * (CARD.width + 2 * GAP) * (CARD.height + 2 * GAP));
  let x = 0;
  let top = COORDINATOR.height + COORDINATOR.below;
  let right = 0;
  let below = 0;
  for (const [name, members] of byZone) {
    if (x > widest) {
      x = 0;
      top = below + ZONE_GAP;
    }
    const columns = Math.min(members.length, Math.ceil(Math.sqrt((members.length * ASPECT * CARD.height) / CARD.width)));
    const rows = Math.ceil(members.length / columns);
    members.forEach((node, index) => {
      placed.push({
        id: node.description.id,
        zone: name,
        x: x + ZONE_PADDING + (index % columns) * (CARD.width + GAP),
        y: top + ZONE_TITLE + Math.floor(index / columns) * (CARD.height + GAP),
      });
    });
    const width = columns * (CARD.width + GAP) - GAP + 2 * ZONE_PADDING;
    const height = ZONE_TITLE + rows * (CARD.height + GAP) - GAP + ZONE_PADDING;
    zones.push({ name, x, y: top, width, height, count: members.length });
    right = Math.max(right, x + width);
    below = Math.max(below, top + height);
    x += width + ZONE_GAP;
  }
  return { coordinator: { x: Math.max(0, (right - COORDINATOR.width) / 2), y: 0 }, zones, nodes: placed };
}
