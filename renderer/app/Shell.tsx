import { CloudOff, Command as CommandIcon, LayoutList, LoaderCircle, Network, Plus, Settings, UserPlus, Wifi } from 'lucide-react';
import { type DragEvent, type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { FarmPage } from '../features/farm/FarmPage.tsx';
import { NodePage } from '../features/farm/NodePage.tsx';
import { JobPage } from '../features/job/JobPage.tsx';
import { JobsPage } from '../features/jobs/JobsPage.tsx';
import { LogPage } from '../features/logs/LogPage.tsx';
import { EngineNote } from '../features/settings/OwnEngine.tsx';
import { SettingsPage } from '../features/settings/SettingsPage.tsx';
import { takeDrop } from '../features/submit/drop.ts';
import { SubmitPage } from '../features/submit/SubmitPage.tsx';
import { useAdmissions, useAdmissionsWatch } from '../store/admissions.ts';
import { useFarm, useMaySubmit } from '../store/farm-store.ts';
import { controls } from '../ui/controls.tsx';
import { formatCount } from '../ui/format.ts';
import { CommandPalette } from './CommandPalette.tsx';
import { createCommands, listenForKeys } from './commands.ts';
import logo from './lanyard.svg';
import { go, hrefOf, type Page, usePage } from './router.ts';
import css from './Shell.module.css';
import { Shortcuts } from './Shortcuts.tsx';

const PLACES = [
  { page: { name: 'jobs' }, pages: ['jobs', 'job', 'log'], label: 'Jobs', icon: LayoutList },
  { page: { name: 'farm' }, pages: ['farm', 'node'], label: 'Farm', icon: Network },
  { page: { name: 'settings' }, pages: ['settings'], label: 'Settings', icon: Settings },
] as const;

/** The frame around every screen: where one is, how the farm is, and the keys that work everywhere. */
export function Shell({ onLeave }: { readonly onLeave: (() => void) | null }) {
  const page = usePage();
  const [dialog, setDialog] = useState<'palette' | 'shortcuts' | null>(null);
  const commands = useMemo(
    () => createCommands({ openPalette: () => setDialog('palette'), openShortcuts: () => setDialog('shortcuts') }),
    [],
  );
  useEffect(() => listenForKeys(commands), [commands]);
  const close = () => setDialog(null);
  useAdmissionsWatch();
  return (
    <DropZone>
      <div className={css.shell}>
        <nav className={css.side} aria-label="Places">
          <FarmName />
          <SubmitLink isHere={page.name === 'submit'} />
          {PLACES.map(({ page: target, pages, label, icon: Icon }) => (
            <a
              key={label}
              className={css.place}
              href={hrefOf(target)}
              aria-current={(pages as readonly string[]).includes(page.name) ? 'page' : undefined}
            >
              <Icon aria-hidden /> {label}
            </a>
          ))}
          <div className={css.foot}>
            <Totals />
            <button type="button" className={css.palette} onClick={() => setDialog('palette')}>
              <CommandIcon aria-hidden /> Commands <kbd className={controls.kbd}>Ctrl K</kbd>
            </button>
            <Connection />
          </div>
        </nav>
        <main className={css.main}>
          <StaleNote />
          {page.name !== 'settings' && <WaitingDevices />}
          {page.name !== 'settings' && <EngineNote />}
          <Screen page={page} onLeave={onLeave} />
        </main>
      </div>
      <CommandPalette open={dialog === 'palette'} commands={commands} onClose={close} />
      <Shortcuts open={dialog === 'shortcuts'} commands={commands} onClose={close} />
    </DropZone>
  );
}

function Screen({ page, onLeave }: { readonly page: Page; readonly onLeave: (() => void) | null }) {
  switch (page.name) {
    case 'farm':
      return <FarmPage />;
    case 'node':
      return <NodePage key={page.node} node={page.node} />;
    case 'jobs':
      return <JobsPage />;
    case 'job':
      return <JobPage key={page.job} job={page.job} task={page.task} />;
    case 'log':
      return <LogPage key={page.attempt} attempt={page.attempt} />;
    case 'submit':
      return <SubmitPage />;
    case 'settings':
      return <SettingsPage onLeave={onLeave} />;
  }
}

function FarmName() {
  const name = useFarm((farm) => farm.farm?.name ?? '…');
  useEffect(() => {
    document.title = `${name} · Lanyard`;
  }, [name]);
  return (
    <div className={css.farm}>
      <img src={logo} alt="" width={24} height={24} />
      <span title={name}>{name}</span>
    </div>
  );
}

function SubmitLink({ isHere }: { readonly isHere: boolean }) {
  if (!useMaySubmit()) return null;
  return (
    <a className={css.submit} href={hrefOf({ name: 'submit' })} aria-current={isHere ? 'page' : undefined}>
      <Plus aria-hidden /> Submit a job
    </a>
  );
}

function Totals() {
  const totals = useFarm((farm) => farm.totals);
  if (totals === null) return null;
  const online = totals.nodes.IDLE + totals.nodes.BUSY;
  const rows: readonly (readonly [string, string])[] = [
    ['Nodes ready', formatCount(online)],
    ['Cores in use', `${formatCount(Math.round(totals.cpu.used * 10) / 10)} of ${formatCount(totals.cpu.total)}`],
    ['Tasks running', formatCount(totals.tasks.RUNNING + totals.tasks.ASSIGNED)],
    ['Tasks waiting', formatCount(totals.tasks.QUEUED)],
  ];
  return (
    <dl className={css.totals}>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Connection() {
  const state = useFarm((farm) => farm.link.state);
  const [Icon, text] = {
    live: [Wifi, 'Live'] as const,
    connecting: [LoaderCircle, 'Connecting…'] as const,
    lost: [CloudOff, 'Reconnecting…'] as const,
    refused: [CloudOff, 'Not allowed'] as const,
  }[state];
  return (
    <p className={css.connection} data-link={state} role="status">
      <Icon aria-hidden /> {text}
    </p>
  );
}

function StaleNote() {
  const error = useFarm((farm) => (farm.link.state === 'lost' ? farm.link.error : null));
  const known = useFarm((farm) => farm.farm !== null);
  if (error === null) return null;
  return (
    <p className={css.stale} role="alert">
      <CloudOff aria-hidden />
      {error.message} {known ? 'What you see is as it was; it is tried again by itself.' : 'It is tried again by itself.'}
    </p>
  );
}

/** A device that asks to be let in waits for somebody to look. */
function WaitingDevices() {
  const waiting = useAdmissions().filter(({ state }) => state === 'waiting');
  if (waiting.length === 0) return null;
  return (
    <p className={css.asking} role="status">
      <UserPlus aria-hidden />
      {waiting.length === 1 ? `${waiting[0]?.name} asks to join the farm.` : `${waiting.length} devices ask to join the farm.`}
      <a href={hrefOf({ name: 'settings' })}>Look and decide</a>
    </p>
  );
}

/** A zip or a folder may be dropped anywhere. */
function DropZone({ children }: { readonly children: ReactNode }) {
  const maySubmit = useMaySubmit();
  const depth = useRef(0);
  const [isOver, setOver] = useState(false);
  const count = (step: number) => {
    depth.current = Math.max(0, depth.current + step);
    setOver(depth.current > 0);
  };
  const carriesFiles = (event: DragEvent) => maySubmit && event.dataTransfer.types.includes('Files');
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the window takes drops; the submit page has the same by a button
    <div
      className={css.zone}
      onDragEnter={(event) => carriesFiles(event) && count(1)}
      onDragLeave={(event) => carriesFiles(event) && count(-1)}
      onDragOver={(event) => carriesFiles(event) && event.preventDefault()}
      onDrop={(event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        count(-depth.current);
        takeDrop(event.dataTransfer);
        go({ name: 'submit' });
      }}
    >
      {children}
      {isOver && (
        <div className={css.drop} aria-hidden>
          <p>Drop a zip or a folder to submit it</p>
        </div>
      )}
    </div>
  );
}
