import { Save } from 'lucide-react';
import { type FormEvent, useEffect, useState } from 'react';
import type { OwnMachine } from '../../../shared/ipc.ts';
import { parseSchedule } from '../../../shared/owner.ts';
import type { OwnerSettings } from '../../../shared/settings.ts';
import type { Desktop } from '../../client/ipc-client.ts';
import { toastDone } from '../../store/toasts.ts';
import { controls, ErrorNote, Field } from '../../ui/controls.tsx';
import { formatCpuTime, formatDuration, formatFullTime, formatMemory, formatTime } from '../../ui/format.ts';
import css from './OwnerPanel.module.css';
import { hoursOf, ladderProblem, ladderSentence, scheduleProblem, WEEKDAYS } from './owner-text.ts';
import { Panel } from './Panel.tsx';
import settings from './SettingsPage.module.css';

type LadderName = 'outsideSchedule' | 'whenActive' | 'whenOnBattery' | 'whenBusy' | 'whenPaused';
const LADDERS: readonly (readonly [LadderName, string])[] = [
  ['outsideSchedule', 'Outside these hours'],
  ['whenActive', 'While somebody is at it'],
  ['whenOnBattery', 'On battery'],
  ['whenBusy', 'While other programs keep it busy'],
  ['whenPaused', 'When I pause it'],
];

/** When this machine is the farm's, what happens to tasks when it is not, and what ran there: its owner's own business. */
export function OwnerPanel({ desktop }: { readonly desktop: Desktop }) {
  const [machine, setMachine] = useState<OwnMachine>();
  const [problem, setProblem] = useState<unknown>(null);
  useEffect(() => {
    desktop.ownMachine().then(setMachine, setProblem);
  }, [desktop]);
  return (
    <>
      <Panel title="What the farm may do on this machine">
        {problem !== null && <ErrorNote error={problem} />}
        {machine !== undefined && (
          <Rules
            rules={machine.settings}
            save={async (change) => {
              setMachine(await desktop.changeOwnerSettings(change));
              toastDone('This machine goes by your new rules');
            }}
          />
        )}
      </Panel>
      {machine !== undefined && <Receipts machine={machine} />}
    </>
  );
}

interface RulesProps {
  readonly rules: OwnerSettings;
  readonly save: (change: Partial<OwnerSettings>) => Promise<void>;
}

function Rules({ rules, save }: RulesProps) {
  const [typed, setTyped] = useState<Partial<OwnerSettings>>({});
  const [problem, setProblem] = useState<unknown>(null);
  const value = { ...rules, ...typed };
  const problems = [scheduleProblem(value.schedule), ...LADDERS.map(([name]) => ladderProblem(value[name]))];
  const isSound = problems.every((one) => one === undefined);
  const set = (change: Partial<OwnerSettings>) => setTyped((before) => ({ ...before, ...change }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isSound) return;
    setProblem(null);
    save(typed).then(() => setTyped({}), setProblem);
  };
  return (
    <form className={css.rules} onSubmit={submit}>
      <Field
        label="Hours"
        help="By this machine’s clock, for example mo-fr 18:00-08:00, sa-su 00:00-24:00; empty: always"
        problem={scheduleProblem(value.schedule)}
      >
        {(input) => (
          <input {...input} value={value.schedule} placeholder="always" onChange={(event) => set({ schedule: event.target.value })} />
        )}
      </Field>
      <Week schedule={value.schedule} />
      {LADDERS.map(([name, label]) => (
        <Field key={name} label={label} help={ladderSentence(value[name]) ?? ''} problem={ladderProblem(value[name])}>
          {(input) => <input {...input} value={value[name]} onChange={(event) => set({ [name]: event.target.value })} />}
        </Field>
      ))}
      <p className={settings.soft}>
        Steps from the mildest on: <code>slow</code>, <code>pause</code> and <code>return</code> with how long each lasts, as in{' '}
        <code>slow 1m pause 10m return</code>; or <code>ignore</code>.
      </p>
      {problem !== null && <ErrorNote error={problem} />}
      <button type="submit" className={controls.primary} disabled={Object.keys(typed).length === 0}>
        <Save aria-hidden /> Go by these rules
      </button>
    </form>
  );
}

/** The week, hour by hour; the text beside it says the same. */
function Week({ schedule }: { readonly schedule: string }) {
  const parsed = parseSchedule(schedule);
  if (typeof parsed === 'string') return null;
  return (
    <div className={css.week} aria-hidden>
      {hoursOf(parsed).map((hours, day) => (
        <div key={WEEKDAYS[day]}>
          <span>{WEEKDAYS[day]}</span>
          {hours.map((share, hour) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: an hour is its number
            <i key={hour} style={{ opacity: share }} />
          ))}
        </div>
      ))}
    </div>
  );
}

function Receipts({ machine: { receipts } }: { readonly machine: OwnMachine }) {
  return (
    <Panel title="What ran on this machine">
      {receipts.length === 0 ? (
        <p className={settings.soft}>Nothing yet. Each task that ran here is listed with who it was for.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        <section className={settings.scroll} tabIndex={0} aria-label="Receipts">
          <table className={settings.table}>
            <thead>
              <tr>
                <th scope="col">Began</th>
                <th scope="col">For</th>
                <th scope="col">Job</th>
                <th scope="col">Ran for</th>
                <th scope="col">CPU time</th>
                <th scope="col">Peak memory</th>
                <th scope="col">Ended</th>
              </tr>
            </thead>
            <tbody>
              {receipts.map(({ attempt, startedAt, owner, job, image, ranForMs, cpuMs, peakRamMb, reason }) => (
                <tr key={`${attempt} ${startedAt}`}>
                  <td title={formatFullTime(startedAt)}>{formatTime(startedAt)}</td>
                  <td>{owner}</td>
                  <td title={image ?? 'without a container'}>{job}</td>
                  <td>{formatDuration(ranForMs)}</td>
                  <td>{cpuMs === null ? '–' : formatCpuTime(cpuMs)}</td>
                  <td>{peakRamMb === null ? '–' : formatMemory(peakRamMb)}</td>
                  <td className={settings.soft}>{reason}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </Panel>
  );
}
