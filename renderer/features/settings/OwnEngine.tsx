import { Box, ExternalLink, Play, RotateCw } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { EngineState } from '../../../shared/ipc.ts';
import { hrefOf } from '../../app/router.ts';
import shell from '../../app/Shell.module.css';
import { useClient } from '../../client/client.ts';
import type { Desktop } from '../../client/ipc-client.ts';
import { controls, ErrorNote } from '../../ui/controls.tsx';
import { Panel } from './Panel.tsx';
import css from './SettingsPage.module.css';

const FINE: readonly EngineState['state'][] = ['ready', 'off'];
const PAGES = [
  ['install-docker', 'Docker'],
  ['install-podman', 'Podman'],
] as const;
const TITLES: Readonly<Record<EngineState['state'], string>> = {
  ready: 'Ready',
  off: 'Not used',
  old: 'Too old',
  denied: 'No permission',
  stopped: 'Not running',
  absent: 'Not installed',
};

/** How the engine is; looked at again whenever the person comes back to the window, as after installing one. */
function useEngine(desktop: Desktop) {
  const [engine, setEngine] = useState<EngineState>();
  const [problem, setProblem] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const run = (look: () => Promise<EngineState>) => {
    setBusy(true);
    setProblem(null);
    look()
      .then(setEngine, setProblem)
      .finally(() => setBusy(false));
  };
  useEffect(() => {
    const look = () => void desktop.engine().then(setEngine, setProblem);
    look();
    addEventListener('focus', look);
    return () => removeEventListener('focus', look);
  }, [desktop]);
  return { engine, problem, isBusy, look: () => run(desktop.engine), start: () => run(desktop.startEngine) };
}

/** The container engine of this machine: its version, or what to do to have one. */
export function OwnEngine({ desktop }: { readonly desktop: Desktop }) {
  const { engine, problem, isBusy, look, start } = useEngine(desktop);
  return (
    <Panel
      title="Containers on this machine"
      actions={
        <button type="button" className={controls.button} disabled={isBusy} onClick={look}>
          <RotateCw aria-hidden /> Look again
        </button>
      }
    >
      {engine !== undefined && (
        <p role="status">
          <strong>{TITLES[engine.state]}.</strong> {engine.message}
        </p>
      )}
      {problem !== null && <ErrorNote error={problem} />}
      {engine !== undefined && !FINE.includes(engine.state) && (
        <div className={css.line}>
          {engine.canStart && (
            <button type="button" className={controls.primary} disabled={isBusy} onClick={start}>
              <Play aria-hidden /> {isBusy ? 'Starting…' : 'Start it'}
            </button>
          )}
          {(engine.state === 'absent' || engine.state === 'old') &&
            PAGES.map(([page, name]) => (
              <button key={page} type="button" className={controls.button} onClick={() => void desktop.openPage(page)}>
                <ExternalLink aria-hidden /> How to install {name}
              </button>
            ))}
        </div>
      )}
      {engine?.command != null && (
        <p>
          {engine.state === 'stopped' ? 'Or in a terminal:' : 'In a terminal:'} <code>{engine.command}</code>
        </p>
      )}
    </Panel>
  );
}

/** One line in the frame of the window while this machine cannot run containers. */
export function EngineNote() {
  const client = useClient();
  return 'desktop' in client ? <EngineLine desktop={client.desktop as Desktop} /> : null;
}

function EngineLine({ desktop }: { readonly desktop: Desktop }) {
  const { engine } = useEngine(desktop);
  const [isHidden, setHidden] = useState(false);
  if (engine === undefined || FINE.includes(engine.state) || isHidden) return null;
  return (
    <p className={shell.asking} role="status">
      <Box aria-hidden />
      {engine.state === 'absent'
        ? 'There is no container engine on this machine, so no task runs in a container here.'
        : 'The container engine of this machine cannot be used, so no task runs in a container here.'}
      <a href={hrefOf({ name: 'settings' })}>What to do</a>
      <button type="button" className={controls.quiet} onClick={() => setHidden(true)}>
        Not now
      </button>
    </p>
  );
}
