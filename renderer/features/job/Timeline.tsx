import { useEffect, useMemo, useRef, useState } from 'react';
import { useStore } from 'zustand';
import type { TaskState } from '../../../shared/job.ts';
import type { TaskView } from '../../../shared/view.ts';
import { useFarm } from '../../store/farm-store.ts';
import { formatDuration, formatTime } from '../../ui/format.ts';
import { STATE_LOOKS } from '../../ui/state.tsx';
import css from './Timeline.module.css';
import type { TaskPages } from './task-pages.ts';
import { taskLine } from './task-text.ts';

const LANE = 14;
const LANE_GAP = 2;
const NODE_GAP = 10;
const NAMES = 130;
const AXIS = 22;

interface Bar {
  readonly task: TaskView;
  readonly start: number;
  readonly end: number;
  readonly y: number;
}

interface Chart {
  readonly bars: readonly Bar[];
  readonly nodes: readonly { readonly id: string; readonly y: number }[];
  readonly from: number;
  readonly to: number;
  readonly height: number;
}

interface TimelineProps {
  readonly pages: TaskPages;
  readonly isLive: boolean;
  readonly onSelect: (index: number) => void;
}

/** What ran where, when and how it ended: a band for each node, a lane for each task that ran beside others. */
export function Timeline({ pages, isLive, onSelect }: TimelineProps) {
  const known = useStore(pages.store, (state) => state.pages);
  const now = useNow(isLive);
  const chart = useMemo(() => layOut([...known.values()].flat(), now), [known, now]);
  if (chart.bars.length === 0) return <p className={css.none}>Nothing has run yet. Each task appears here when it starts.</p>;
  return <TimelineChart chart={chart} now={now} onSelect={onSelect} />;
}

interface TimelineChartProps {
  readonly chart: Chart;
  readonly now: number;
  readonly onSelect: (index: number) => void;
}

function TimelineChart({ chart, now, onSelect }: TimelineChartProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  const names = useFarm((farm) => farm.nodes);
  const [width, setWidth] = useState(0);
  const [pointed, setPointed] = useState<TaskView | null>(null);
  const nameOf = (id: string) => names.get(id)?.description.name ?? id;

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0));
    observer.observe(canvas.current as HTMLCanvasElement);
    return () => observer.disconnect();
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes what colours are read while drawing
  useEffect(() => {
    if (width > 0) draw(canvas.current as HTMLCanvasElement, chart, width, nameOf);
  }, [chart, width, theme]);

  const barAt = (event: React.PointerEvent | React.MouseEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    const time = chart.from + ((event.clientX - box.left - NAMES) / (width - NAMES)) * (chart.to - chart.from);
    const y = event.clientY - box.top;
    const slack = (3 / (width - NAMES)) * (chart.to - chart.from);
    return chart.bars.find((bar) => y >= bar.y && y <= bar.y + LANE && time >= bar.start - slack && time <= bar.end + slack)?.task ?? null;
  };
  return (
    <>
      <div className={css.scroll}>
        <canvas
          ref={canvas}
          className={css.canvas}
          style={{ height: chart.height }}
          role="img"
          aria-label={`Timeline of ${chart.bars.length} tasks on ${chart.nodes.length} nodes; the same is told task by task in the grid above`}
          onPointerMove={(event) => setPointed(barAt(event))}
          onPointerLeave={() => setPointed(null)}
          onClick={(event) => {
            const task = barAt(event);
            if (task !== null) onSelect(task.index);
          }}
        />
      </div>
      <p className={css.pointed}>
        {pointed === null
          ? `${formatTime(chart.from)} to ${formatTime(chart.to)}, ${formatDuration(chart.to - chart.from)} in all`
          : taskLine(pointed, nameOf(pointed.node ?? ''), now)}
      </p>
    </>
  );
}

/** Bars of one node that overlap lie in lanes: each in the first one that is free. */
function layOut(tasks: readonly TaskView[], now: number): Chart {
  const started = tasks.filter((task) => task.startedAt !== null && task.node !== null);
  const byNode = Map.groupBy(started, (task) => task.node as string);
  const bars: Bar[] = [];
  const nodes: { id: string; y: number }[] = [];
  let y = 0;
  for (const [id, ran] of [...byNode].sort(([a], [b]) => a.localeCompare(b))) {
    const lanes: number[] = [];
    for (const task of ran.sort((a, b) => (a.startedAt as number) - (b.startedAt as number))) {
      const start = task.startedAt as number;
      const end = task.finishedAt ?? now;
      const free = lanes.findIndex((until) => until <= start);
      const lane = free < 0 ? lanes.length : free;
      lanes[lane] = end;
      bars.push({ task, start, end, y: y + lane * (LANE + LANE_GAP) });
    }
    nodes.push({ id, y });
    y += lanes.length * (LANE + LANE_GAP) + NODE_GAP;
  }
  const from = Math.min(...bars.map((bar) => bar.start));
  const to = Math.max(...bars.map((bar) => bar.end), from + 1);
  return { bars, nodes, from, to, height: y + AXIS };
}

function draw(canvas: HTMLCanvasElement, chart: Chart, width: number, nameOf: (id: string) => string): void {
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(chart.height * scale);
  const context = canvas.getContext('2d');
  if (context === null) return;
  const style = getComputedStyle(canvas);
  const colour = (token: string) => style.getPropertyValue(token.replace(/^var\((.*)\)$/, '$1'));
  const x = (time: number) => NAMES + ((time - chart.from) / (chart.to - chart.from)) * (width - NAMES - 1);
  context.scale(scale, scale);
  context.font = `11px ${style.fontFamily}`;
  context.textBaseline = 'middle';
  for (let tick = 0; tick <= 4; tick += 1) {
    const time = chart.from + ((chart.to - chart.from) * tick) / 4;
    context.fillStyle = colour('--line');
    context.fillRect(Math.round(x(time)), 0, 1, chart.height - AXIS);
    context.fillStyle = colour('--text-faint');
    context.textAlign = tick === 0 ? 'left' : tick === 4 ? 'right' : 'center';
    context.fillText(`+${formatDuration(time - chart.from)}`, x(time), chart.height - AXIS / 2);
  }
  context.textAlign = 'left';
  context.fillStyle = colour('--text-soft');
  for (const node of chart.nodes) context.fillText(nameOf(node.id), 0, node.y + LANE / 2, NAMES - 12);
  const colours = new Map<TaskState, string>();
  for (const { task, start, end, y } of chart.bars) {
    const fill = colours.get(task.state) ?? colour(STATE_LOOKS[task.state].colour);
    colours.set(task.state, fill);
    context.fillStyle = fill;
    context.beginPath();
    context.roundRect(x(start), y, Math.max(2, x(end) - x(start) - 1), LANE, 2);
    context.fill();
  }
}

/** The time, each second while something runs. */
function useNow(isRunning: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isRunning) return;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [isRunning]);
  return now;
}

/** The theme that the document has now. */
function useTheme(): string {
  const [theme, setTheme] = useState(() => document.documentElement.dataset.theme ?? '');
  useEffect(() => {
    const observer = new MutationObserver(() => setTheme(document.documentElement.dataset.theme ?? ''));
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => observer.disconnect();
  }, []);
  return theme;
}
