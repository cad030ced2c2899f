import '@xyflow/react/dist/style.css';
import { Handle, type Node, type NodeProps, Position, ReactFlow } from '@xyflow/react';
import { type ReactNode, useMemo } from 'react';
import css from './CardGraph.module.css';
import type { Placed } from './columns.ts';

const CARD = { width: 210, height: 58 } as const;
const GAP_Y = 16;
/** Between two columns: room for the words on a line, at about this many pixels a letter. */
const LETTER_PIXELS = 5.5;
const LINE_PIXELS = 44;
const TALLEST_PIXELS = 420;

interface CardGraphProps {
  /** A link or a button with the class `graphCard`. */
  readonly cards: readonly (Placed<string> & { readonly card: ReactNode })[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly label: string }[];
}

export const graphCard = css.card as string;

/** What waits for what: cards in columns, each after those it waits for. */
export function CardGraph({ cards, edges }: CardGraphProps) {
  const gap = LINE_PIXELS + LETTER_PIXELS * Math.max(0, ...edges.map(({ label }) => label.length));
  const nodes = useMemo(
    () =>
      cards.map(({ id, column, row, card }) => ({
        id,
        type: 'card',
        position: { x: column * (CARD.width + gap), y: row * (CARD.height + GAP_Y) },
        data: { card },
        ...CARD,
      })),
    [cards, gap],
  );
  const lines = useMemo(
    () => edges.map(({ from, to, label }) => ({ id: `${from}-${to}-${label}`, source: from, target: to, type: 'smoothstep', label })),
    [edges],
  );
  const rows = Math.max(0, ...cards.map(({ row }) => row)) + 1;
  return (
    <div className={css.graph} style={{ height: Math.min(TALLEST_PIXELS, rows * (CARD.height + GAP_Y) + 40) }}>
      <ReactFlow
        nodes={nodes}
        edges={lines}
        nodeTypes={NODE_TYPES}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.08 }}
        minZoom={0.2}
        maxZoom={1.4}
        nodesDraggable={false}
        nodesConnectable={false}
        elementsSelectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        preventScrolling={false}
        zoomOnScroll={false}
      />
    </div>
  );
}

function CardNode({ data }: NodeProps<Node<{ card: ReactNode }>>) {
  return (
    <>
      <Handle type="target" position={Position.Left} className={css.handle as string} isConnectable={false} />
      {data.card}
      <Handle type="source" position={Position.Right} className={css.handle as string} isConnectable={false} />
    </>
  );
}

const NODE_TYPES = { card: CardNode };
