import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, memo, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useStore } from 'zustand';
import type { TaskView } from '../../../shared/view.ts';
import { useNodeName } from '../../store/farm-store.ts';
import { formatCount } from '../../ui/format.ts';
import { STATE_LOOKS } from '../../ui/state.tsx';
import css from './TaskGrid.module.css';
import { type TaskPages, taskAt } from './task-pages.ts';
import { taskLine } from './task-text.ts';

interface TaskGridProps {
  readonly pages: TaskPages;
  readonly count: number;
  readonly selected: number | null;
  readonly onSelect: (index: number) => void;
}

/** Room for the number of a row's first task. */
const MARGIN_PIXELS = 60;

/** Large cells for few tasks, small ones for many: a job should be in sight as a whole where it can. */
function cellSize(count: number): number {
  return count <= 240 ? 30 : count <= 2_000 ? 21 : 15;
}

/** All tasks of a job as a heat map: one cell each, read as they come into sight. */
export function TaskGrid({ pages, count, selected, onSelect }: TaskGridProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const width = useWidth(scroller);
  const size = cellSize(count);
  const columns = Math.max(1, niceColumns(Math.floor((width - MARGIN_PIXELS) / size)));
  const rows = Math.ceil(count / columns);
  const virtual = useVirtualizer({ count: rows, getScrollElement: () => scroller.current, estimateSize: () => size, overscan: 6 });
  const items = virtual.getVirtualItems();
  const first = (items[0]?.index ?? 0) * columns;
  const last = Math.min(count, ((items.at(-1)?.index ?? 0) + 1) * columns) - 1;
  const known = useStore(pages.store, (state) => state.pages);
  const [current, setCurrent] = useState(selected ?? 0);
  const [pointed, setPointed] = useState<number | null>(null);

  useEffect(() => {
    if (last >= first) pages.show(first, last);
  }, [pages, first, last]);
  // The size of a row is the virtual list's to remember; it measures anew when cells change.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `size` is what changes
  useLayoutEffect(() => virtual.measure(), [virtual, size]);

  const moveTo = (index: number) => {
    const next = Math.min(count - 1, Math.max(0, index));
    setCurrent(next);
    virtual.scrollToIndex(Math.floor(next / columns));
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus());
  };
  const onKey = (event: KeyboardEvent) => {
    const steps: Readonly<Record<string, number>> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      PageDown: columns * 10,
      PageUp: -columns * 10,
    };
    if (event.key in steps) moveTo(current + (steps[event.key] as number));
    else if (event.key === 'Home') moveTo(0);
    else if (event.key === 'End') moveTo(count - 1);
    else if (event.key === 'Enter' || event.key === ' ') onSelect(current);
    else return;
    event.preventDefault();
  };
  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: a virtual list of rows cannot be a table element */}
      <div
        ref={scroller}
        className={css.grid}
        role="grid"
        tabIndex={-1}
        aria-label="Tasks"
        aria-rowcount={rows}
        aria-colcount={columns}
        onKeyDown={onKey}
        onPointerLeave={() => setPointed(null)}
      >
        {/* biome-ignore lint/a11y/useSemanticElements: see the grid */}
        <div className={css.body} role="rowgroup" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => (
            <GridRow
              key={item.key}
              row={item.index}
              top={item.start}
              size={size}
              first={item.index * columns}
              end={Math.min(count, (item.index + 1) * columns)}
              tasks={known}
              current={current}
              selected={selected}
              onPoint={setPointed}
              onSelect={(index) => {
                setCurrent(index);
                onSelect(index);
              }}
            />
          ))}
        </div>
      </div>
      <Pointed task={taskAt(known, pointed ?? current)} />
    </>
  );
}

interface GridRowProps {
  readonly row: number;
  readonly top: number;
  readonly size: number;
  readonly first: number;
  readonly end: number;
  readonly tasks: ReadonlyMap<number, readonly TaskView[]>;
  readonly current: number;
  readonly selected: number | null;
  readonly onPoint: (index: number) => void;
  readonly onSelect: (index: number) => void;
}

function GridRow({ row, top, size, first, end, tasks, current, selected, onPoint, onSelect }: GridRowProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: see the grid
    // biome-ignore lint/a11y/useFocusableInteractive: the cells take the focus
    <div role="row" className={css.row} aria-rowindex={row + 1} style={{ transform: `translateY(${top}px)`, height: size }}>
      {/* biome-ignore lint/a11y/useSemanticElements: see the grid */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: it says only which tasks follow */}
      <span role="rowheader" className={css.number}>
        {formatCount(first)}
      </span>
      {Array.from({ length: end - first }, (_, column) => {
        const index = first + column;
        return (
          <GridCell
            key={index}
            index={index}
            column={column}
            size={size}
            state={taskAt(tasks, index)?.state}
            isCurrent={index === current}
            isSelected={index === selected}
            onPoint={onPoint}
            onSelect={onSelect}
          />
        );
      })}
    </div>
  );
}

interface GridCellProps {
  readonly index: number;
  readonly column: number;
  readonly size: number;
  readonly state: TaskView['state'] | undefined;
  readonly isCurrent: boolean;
  readonly isSelected: boolean;
  readonly onPoint: (index: number) => void;
  readonly onSelect: (index: number) => void;
}

const GridCell = memo(
  function GridCell({ index, column, size, state, isCurrent, isSelected, onPoint, onSelect }: GridCellProps) {
    return (
      // biome-ignore lint/a11y/useSemanticElements: see the grid
      // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the grid
      <div
        role="gridcell"
        data-index={index}
        data-state={state}
        className={css.cell}
        style={{ width: size }}
        tabIndex={isCurrent ? 0 : -1}
        aria-colindex={column + 1}
        aria-selected={isSelected}
        aria-label={`Task ${index}: ${state === undefined ? 'not read yet' : STATE_LOOKS[state].word.toLowerCase()}`}
        onPointerEnter={() => onPoint(index)}
        onClick={() => onSelect(index)}
      />
    );
  },
  (before, now) =>
    before.state === now.state &&
    before.index === now.index &&
    before.size === now.size &&
    before.isCurrent === now.isCurrent &&
    before.isSelected === now.isSelected,
);

function Pointed({ task }: { readonly task: TaskView | undefined }) {
  const node = useNodeName(task?.node ?? null);
  return <p className={css.pointed}>{task === undefined ? '…' : taskLine(task, node, Date.now())}</p>;
}

/** A width in which the eye can count: 10, 20, 24, 25, 30, 40 and so on. */
function niceColumns(most: number): number {
  const step = most >= 40 ? 10 : 5;
  return most >= step ? Math.floor(most / step) * step : most;
}

function useWidth(element: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
