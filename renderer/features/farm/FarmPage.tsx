import { MonitorDown } from 'lucide-react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { NODE_STATUSES } from '../../../shared/node.ts';
import { useFarm } from '../../store/farm-store.ts';
import { Empty, Segmented } from '../../ui/controls.tsx';
import { formatCount, plural } from '../../ui/format.ts';
import page from '../../ui/page.module.css';
import css from './FarmPage.module.css';
import { Limits } from './Limits.tsx';
import { NodeMap } from './NodeMap.tsx';
import { NodeTable } from './NodeTable.tsx';
import { STATUS_LOOKS } from './node-text.ts';

type Sight = 'map' | 'table';

/** Kept while the window is open. */
const sightStore = createStore<{ readonly sight: Sight }>(() => ({ sight: 'map' }));

/** The machines of the farm, as a map or as a table. */
export function FarmPage() {
  const sight = useStore(sightStore, (state) => state.sight);
  const count = useFarm((farm) => farm.nodeIds.length);
  const isLoading = useFarm((farm) => farm.farm === null);
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Farm</h1>
        <StatusCounts />
        <Segmented
          label="How to show the nodes"
          value={sight}
          options={[
            { value: 'map', label: 'Map' },
            { value: 'table', label: 'Table' },
          ]}
          onChange={(next) => sightStore.setState({ sight: next })}
        />
      </header>
      <Limits />
      {count === 0 && !isLoading && <NoNodes />}
      {count > 0 && sight === 'table' && <NodeTable />}
      {count > 0 && sight === 'map' && <NodeMap />}
      <p className="visually-hidden" role="status">
        {plural(count, 'node')}
      </p>
    </div>
  );
}

function StatusCounts() {
  const totals = useFarm((farm) => farm.totals);
  if (totals === null) return null;
  return (
    <ul className={css.counts} aria-label="Nodes by status">
      {NODE_STATUSES.filter((status) => totals.nodes[status] > 0).map((status) => {
        const { word, colour, icon: Icon } = STATUS_LOOKS[status];
        return (
          <li key={status}>
            <Icon aria-hidden style={{ color: colour }} /> {formatCount(totals.nodes[status])} {word.toLowerCase()}
          </li>
        );
      })}
    </ul>
  );
}

function NoNodes() {
  return (
    <Empty icon={<MonitorDown aria-hidden />} title="No machines yet">
      <p>
        A machine joins the farm when a worker runs on it. Start one on this machine, or on another that reaches this address; it then
        appears here within a second, and jobs that wait are placed on it.
      </p>
      <pre>lanyard up --join {location.protocol.startsWith('http') ? location.origin : 'http://coordinator:7420'} --token …</pre>
    </Empty>
  );
}
