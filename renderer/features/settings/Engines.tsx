import { hrefOf } from '../../app/router.ts';
import { farmStore, useFarm } from '../../store/farm-store.ts';
import { plural } from '../../ui/format.ts';
import { Panel } from './Panel.tsx';
import css from './SettingsPage.module.css';

const EXECUTOR_WORDS = { docker: 'containers', host: 'commands on the machine itself', null: 'nothing (a bench)' } as const;

/** What each machine can run, as it says itself; one whose engine does not answer says so here and nowhere silently. */
export function Engines() {
  const ids = useFarm((farm) => farm.nodeIds);
  const known = useFarm((farm) =>
    farm.nodeIds.map((id) => `${farm.nodes.get(id)?.status}${farm.nodes.get(id)?.description.executors}`).join(),
  );
  return (
    <Panel title="What the machines can run">
      <div className={css.scroll} data-known={known.length}>
        <table className={css.table}>
          <thead>
            <tr>
              <th>Node</th>
              <th>Runs</th>
              <th>Version</th>
            </tr>
          </thead>
          <tbody>
            {ids.map((id) => {
              const node = farmStore.getState().nodes.get(id);
              if (node === undefined) return null;
              const { executors, name, version } = node.description;
              return (
                <tr key={id}>
                  <td>
                    <a href={hrefOf({ name: 'node', node: id })}>{name}</a>
                  </td>
                  <td>
                    {executors.length === 0
                      ? 'nothing: no engine answers there, and the host executor is off'
                      : executors.map((one) => EXECUTOR_WORDS[one]).join(', ')}
                    {node.reason !== null && <span className={css.soft}> · {node.reason}</span>}
                  </td>
                  <td className={css.soft}>{version}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p className={css.soft}>
        {plural(ids.length, 'node')}. If a machine is not found or not reached, run <code>lanyard doctor</code> on it: it looks at each
        network interface, the firewall and the engine, and says what to do.
      </p>
    </Panel>
  );
}
