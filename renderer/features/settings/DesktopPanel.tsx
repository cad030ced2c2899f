import { FileText, ScrollText } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { DesktopSettings } from '../../../shared/settings.ts';
import type { Desktop } from '../../client/ipc-client.ts';
import { toastDone } from '../../store/toasts.ts';
import { controls, ErrorNote, Segmented } from '../../ui/controls.tsx';
import { Panel } from './Panel.tsx';
import css from './SettingsPage.module.css';

type SwitchName = 'startAtLogin' | 'closeToTray' | 'notifyJobs';

const SWITCHES: readonly (readonly [SwitchName, string, string])[] = [
  ['startAtLogin', 'Start when I log in', 'Hidden, in the tray.'],
  ['closeToTray', 'Stay in the tray when the window closes', 'Tasks go on. The tray’s menu quits.'],
  ['notifyJobs', 'Tell me when a job ends', 'While this window is not in front.'],
];

/** How the desktop app behaves on this machine. */
export function DesktopPanel({ desktop }: { readonly desktop: Desktop }) {
  const [settings, setSettings] = useState<DesktopSettings>();
  const [problem, setProblem] = useState<unknown>(null);
  useEffect(() => {
    desktop.settings().then(setSettings, setProblem);
  }, [desktop]);
  const change = (part: Partial<DesktopSettings>) => {
    desktop.changeSettings(part).then((next) => {
      setSettings(next);
      setProblem(null);
    }, setProblem);
  };
  const collect = () => {
    desktop
      .collectDiagnostics()
      .then((path) => path !== null && toastDone(`The diagnostics are in ${path}`))
      .catch(setProblem);
  };
  return (
    <Panel
      title="This app"
      actions={
        <button type="button" className={controls.button} onClick={collect}>
          <FileText aria-hidden /> Collect diagnostics
        </button>
      }
    >
      {problem !== null && <ErrorNote error={problem} />}
      {settings !== undefined && (
        <>
          <ul className={css.switches}>
            {SWITCHES.map(([name, label, help]) => (
              <li key={name}>
                <label>
                  <input
                    type="checkbox"
                    checked={settings[name]}
                    aria-describedby={`help-${name}`}
                    onChange={(event) => change({ [name]: event.target.checked })}
                  />
                  {label}
                </label>
                <small id={`help-${name}`}>{help}</small>
              </li>
            ))}
          </ul>
          <dl className={css.list}>
            <dt>Updates</dt>
            <dd>
              <Segmented
                label="Updates"
                value={settings.updates}
                options={[
                  { value: 'automatic', label: 'By themselves' },
                  { value: 'ask', label: 'Ask me' },
                  { value: 'off', label: 'Never' },
                ]}
                onChange={(updates) => change({ updates })}
              />
            </dd>
            <dt>Licences</dt>
            <dd>
              <button type="button" className={controls.button} onClick={() => desktop.showLicences().catch(setProblem)}>
                <ScrollText aria-hidden /> What others have made of it
              </button>
            </dd>
          </dl>
        </>
      )}
    </Panel>
  );
}
