import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useRef } from 'react';
import { hrefOf } from '../../app/router.ts';
import { useFarm, useNode } from '../../store/farm-store.ts';
import { usePreference } from '../../store/preferences.ts';
import { formatCount, formatMemory, formatTime } from '../../ui/format.ts';
import css from './NodeTable.module.css';
import { StatusChip } from './node-parts.tsx';
import { AVAILABILITY_WORDS } from './node-text.ts';

const COLUMNS = ['Node', 'Status', 'Zone', 'System', 'CPU', 'Memory', 'GPUs', 'Tasks', 'Says', 'Last seen'] as const;

/** The nodes as rows; only those in sight exist. */
export function NodeTable() {
  const ids = useFarm((farm) => farm.nodeIds);
  const scroller = useRef<HTMLElement>(null);
  const density = usePreference((preferences) => preferences.density);
  const height = density === 'compact' ? 28 : 38;
  const virtual = useVirtualizer({ count: ids.length, getScrollElement: () => scroller.current, estimateSize: () => height, overscan: 10 });
  const items = virtual.getVirtualItems();
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section ref={scroller} className={css.scroll} tabIndex={0} aria-label="Nodes">
      <table className={css.table} aria-rowcount={ids.length + 1}>
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {above > 0 && <tr aria-hidden style={{ height: above }} />}
          {items.map((item) => (
            <NodeRow key={item.key} id={ids[item.index] as string} height={height} index={item.index} />
          ))}
          {below > 0 && <tr aria-hidden style={{ height: below }} />}
        </tbody>
      </table>
    </section>
  );
}

const NodeRow = memo(function NodeRow({ id, height, index }: { readonly id: string; readonly height: number; readonly index: number }) {
  const node = useNode(id);
  if (node === undefined) return null;
  const { description, status, availability, metrics, used, reason } = node;
  return (
    <tr style={{ height }} aria-rowindex={index + 2}>
      <th scope="row">
        <a href={hrefOf({ name: 'node', node: id })}>{description.name}</a>
      </th>
      <td>
        <StatusChip status={status} />
      </td>
      <td>{description.zone}</td>
      <td>
        {description.os}, {description.arch}
      </td>
      <td>
        {formatCount(Math.round(used.cpu * 10) / 10)} of {formatCount(description.capacity.cpu)}
        {metrics !== null && <span className={css.soft}> · {Math.round(metrics.cpuPercent)} %</span>}
      </td>
      <td>
        {formatMemory(used.ramMb)} of {formatMemory(description.capacity.ramMb)}
      </td>
      <td>
        {description.capacity.gpus.length === 0 ? '' : `${formatCount(used.gpus)} of ${formatCount(description.capacity.gpus.length)}`}
      </td>
      <td>
        {formatCount(used.slots)} of {formatCount(description.maxParallel)}
      </td>
      <td className={css.said} title={reason ?? undefined}>
        {reason ?? AVAILABILITY_WORDS[availability] ?? ''}
      </td>
      <td className={css.soft}>{formatTime(node.lastSeenAt)}</td>
    </tr>
  );
});
