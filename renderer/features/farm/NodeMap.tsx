import '@xyflow/react/dist/style.css';
import {
  Background,
  Controls,
  type Edge,
  Handle,
  MiniMap,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  useReactFlow,
  useStore,
} from '@xyflow/react';
import { Server } from 'lucide-react';
import { memo, type RefObject, useEffect, useMemo, useRef } from 'react';
import type { NodeView } from '../../../shared/view.ts';
import { go, hrefOf } from '../../app/router.ts';
import { useFarm, useNode } from '../../store/farm-store.ts';
import { plural } from '../../ui/format.ts';
import { CARD, COORDINATOR, layOutFarm } from './map-layout.ts';
import css from './NodeMap.module.css';
import { NodeMeters, StatusChip } from './node-parts.tsx';
import { AVAILABILITY_WORDS, STATUS_LOOKS } from './node-text.ts';

/** A window of this width shows cards at the size of all other words; a wider one shows a small farm larger, up to twice that. */
const USUAL_PIXELS = 1_920;
const fitting = () => ({ maxZoom: Math.min(2, Math.max(1, window.innerWidth / USUAL_PIXELS)), padding: 0.06 });
/** Larger farms need an overview. */
const MINIMAP_NODES = 24;

/** The farm as a map. Cards read their own node, so that a report of one machine draws one card. */
export function NodeMap() {
  const ids = useFarm((farm) => farm.nodeIds);
  const zones = useFarm((farm) => farm.nodeIds.map((id) => farm.nodes.get(id)?.description.zone).join('\n'));
  const views = useFarm((farm) => farm.nodes);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the map of nodes is changed in place; ids and zones say when cards move
  const { nodes, edges } = useMemo(
    () => toFlow(ids.map((id) => views.get(id)).filter((node): node is NodeView => node !== undefined)),
    [ids, zones],
  );
  const isMoved = useRef(false);
  return (
    <section className={css.map} aria-label="Map of the farm">
      <ReactFlow
        // A farm that gained a machine is fitted anew.
        key={`${ids.length} ${zones}`}
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        fitView
        fitViewOptions={fitting()}
        // Null: it moved by itself.
        onMoveStart={(event) => {
          isMoved.current ||= event !== null;
        }}
        minZoom={0.05}
        maxZoom={2.5}
        nodesDraggable={false}
        nodesConnectable={false}
        elementsSelectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        onlyRenderVisibleElements
        proOptions={{ hideAttribution: false }}
      >
        <FitToWindow isMoved={isMoved} />
        <Background gap={24} />
        <Controls showInteractive={false} />
        {ids.length > MINIMAP_NODES && <MiniMap pannable zoomable nodeColor={miniColour} ariaLabel="Overview of the farm" />}
      </ReactFlow>
    </section>
  );
}

/** The farm stays in view as the window changes its size, until a person has chosen what to look at. */
function FitToWindow({ isMoved }: { readonly isMoved: RefObject<boolean> }) {
  const { fitView } = useReactFlow();
  const size = useStore(({ width, height }) => `${width} ${height}`);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the size says when
  useEffect(() => {
    if (!isMoved.current) void fitView(fitting());
  }, [size, fitView, isMoved]);
  return null;
}

function miniColour(node: Node): string {
  return node.type === 'machine' ? STATUS_LOOKS[(node.data.status as NodeView['status']) ?? 'OFFLINE'].colour : 'transparent';
}

function toFlow(views: readonly NodeView[]): { nodes: Node[]; edges: Edge[] } {
  const layout = layOutFarm(views);
  const statuses = new Map(views.map((view) => [view.description.id as string, view.status]));
  const nodes: Node[] = [
    {
      id: 'coordinator',
      type: 'coordinator',
      position: layout.coordinator,
      data: {},
      width: COORDINATOR.width,
      height: COORDINATOR.height,
    },
    ...layout.zones.map((zone) => ({
      id: `zone:${zone.name}`,
      type: 'zone',
      position: { x: zone.x, y: zone.y },
      data: { name: zone.name, count: zone.count },
      width: zone.width,
      height: zone.height,
      zIndex: -1,
    })),
    ...layout.nodes.map((node) => ({
      id: node.id,
      type: 'machine',
      position: { x: node.x, y: node.y },
      data: { status: statuses.get(node.id) },
      width: CARD.width,
      height: CARD.height,
    })),
  ];
  const edges = layout.zones.map((zone) => ({
    id: `edge:${zone.name}`,
    source: 'coordinator',
    target: `zone:${zone.name}`,
    type: 'smoothstep',
  }));
  return { nodes, edges };
}

function CoordinatorCard() {
  const name = useFarm((farm) => farm.farm?.name ?? '');
  return (
    <div className={css.coordinator}>
      <Server aria-hidden />
      <div>
        <strong>{name}</strong>
        <span>Coordinator</span>
      </div>
      <Handle type="source" position={Position.Bottom} className={css.handle as string} isConnectable={false} />
    </div>
  );
}

function ZoneBox({ data }: NodeProps) {
  const { name, count } = data as { name: string; count: number };
  return (
    <div className={css.zone}>
      <Handle type="target" position={Position.Top} className={css.handle as string} isConnectable={false} />
      <p>
        {name === '' ? 'No zone' : name} <span>{plural(count, 'node')}</span>
      </p>
    </div>
  );
}

/** Below this scale a card's words cannot be read, and a thousand cards in sight would cost every frame. */
const LEGIBLE = 0.4;

function MachineCard({ id }: NodeProps) {
  const isLegible = useStore(({ transform }) => transform[2] >= LEGIBLE);
  return isLegible ? <MachineDetails id={id} /> : <MachineDot id={id} />;
}

function MachineDot({ id }: { readonly id: string }) {
  const name = useFarm((farm) => farm.nodes.get(id)?.description.name);
  const status = useFarm((farm) => farm.nodes.get(id)?.status);
  if (name === undefined || status === undefined) return null;
  const { word, icon: Icon } = STATUS_LOOKS[status];
  return (
    <a
      className={css.dot}
      data-status={status}
      href={hrefOf({ name: 'node', node: id })}
      title={`${name}: ${word}`}
      aria-label={`${name}: ${word}`}
    >
      <Icon aria-hidden />
    </a>
  );
}

function MachineDetails({ id }: { readonly id: string }) {
  const node = useNode(id);
  if (node === undefined) return null;
  const { description, status, availability, reason, running } = node;
  const said = reason ?? AVAILABILITY_WORDS[availability];
  return (
    <a
      className={css.card}
      data-status={status}
      href={hrefOf({ name: 'node', node: id })}
      onClick={(event) => {
        event.preventDefault();
        go({ name: 'node', node: id });
      }}
    >
      <span className={css.top}>
        <strong title={description.name}>{description.name}</strong>
        <StatusChip status={status} />
      </span>
      <NodeMeters node={node} />
      <span className={css.said} title={said ?? undefined}>
        {said ?? (running.length === 0 ? `${description.os}, ${description.arch}` : `Runs ${plural(running.length, 'task')}`)}
      </span>
    </a>
  );
}

const NODE_TYPES = { coordinator: CoordinatorCard, zone: ZoneBox, machine: memo(MachineCard) };
