import { Network, UserPlus } from 'lucide-react';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import type { Membership } from '../../shared/ipc.ts';
import type { Desktop } from '../client/ipc-client.ts';
import { toastDone, toastError } from '../store/toasts.ts';
import { controls, ErrorNote, Field } from '../ui/controls.tsx';
import logo from './lanyard.svg';
import { PairFarm } from './PairFarm.tsx';
import { go } from './router.ts';
import css from './Welcome.module.css';

interface DesktopWelcomeProps {
  readonly desktop: Desktop;
  readonly membership: Membership;
  /** An invite that was opened as a link; empty: none. */
  readonly link: string;
  readonly onFarm: () => void;
}

/** The first window of an install: it makes a farm, or joins one. */
export function DesktopWelcome({ desktop, membership: { device, keyProtection }, link, onFarm }: DesktopWelcomeProps) {
  return (
    <main className={css.page}>
      <div className={`${css.card} ${css.wide}`}>
        <img src={logo} alt="" width={44} height={44} />
        <h1>Welcome to Lanyard</h1>
        <p className={css.lead}>A farm is the machines that share one queue. Start one here, or let this machine join one.</p>
        <div className={css.ways}>
          <section className={css.part} aria-label="A farm of its own">
            <h2>Start a farm</h2>
            <CreateFarm desktop={desktop} onFarm={onFarm} />
          </section>
          <section className={css.part} aria-label="A farm that is there">
            <h2>Be part of one</h2>
            <JoinFarm desktop={desktop} link={link} onFarm={onFarm} />
            <hr className={css.rule} />
            <PairFarm desktop={desktop} onFarm={onFarm} />
          </section>
        </div>
        <p className={controls.help}>
          This machine is <strong>{device.name}</strong>, <code>{device.fingerprint}</code>. Its key{' '}
          {keyProtection === 'keyring'
            ? 'is sealed by this system’s keyring.'
            : 'lies in a file that only you may read: this system has no keyring to seal it with.'}
        </p>
      </div>
    </main>
  );
}

interface PartProps {
  readonly desktop: Desktop;
  readonly onFarm: () => void;
}

function CreateFarm({ desktop, onFarm }: PartProps) {
  const [name, setName] = useState('');
  const [withSample, setWithSample] = useState(true);
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setIsBusy] = useState(false);
  const create = async () => {
    setIsBusy(true);
    try {
      await desktop.createFarm(name.trim());
      onFarm();
      if (!withSample) return;
      go({ name: 'job', job: await desktop.runSample(), task: null });
      toastDone('A small animation renders, to try the farm');
    } catch (cause) {
      setError(cause);
      toastError('Starting the farm', cause);
    } finally {
      setIsBusy(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void create();
  };
  return (
    <form className={css.part} onSubmit={submit}>
      <Field label="Name of the new farm">
        {(input) => (
          <input
            {...input}
            value={name}
            placeholder="Render lab"
            maxLength={200}
            required
            onChange={(event) => setName(event.target.value)}
          />
        )}
      </Field>
      <label>
        <input type="checkbox" checked={withSample} onChange={(event) => setWithSample(event.target.checked)} /> Render a small animation to
        try it
      </label>
      {error !== null && <ErrorNote error={error} />}
      <button type="submit" className={controls.primary} disabled={isBusy}>
        <Network aria-hidden /> {isBusy ? 'Starting…' : 'Start a farm'}
      </button>
    </form>
  );
}

function JoinFarm({ desktop, link, onFarm }: PartProps & { readonly link: string }) {
  const [invite, setInvite] = useState('');
  const [state, setState] = useState<'asks' | 'joins' | 'waits'>('asks');
  const [error, setError] = useState<unknown>(null);
  const stop = useRef<AbortController>(null);
  useEffect(() => setInvite(link), [link]);
  useEffect(() => () => stop.current?.abort(), []);
  const join = async () => {
    stop.current = new AbortController();
    setState('joins');
    setError(null);
    try {
      await desktop.joinFarm(invite.trim(), () => setState('waits'), stop.current.signal);
      onFarm();
    } catch (cause) {
      setError(cause);
      setState('asks');
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void join();
  };
  return (
    <form className={css.part} onSubmit={submit}>
      <Field label="Invite" help="An administrator of the farm makes one under Settings.">
        {(input) => (
          <textarea {...input} rows={2} spellCheck={false} value={invite} required onChange={(event) => setInvite(event.target.value)} />
        )}
      </Field>
      {error !== null && <ErrorNote error={error} />}
      {state === 'waits' && <p role="status">An administrator now has to let this machine in.</p>}
      {state === 'asks' ? (
        <button type="submit" className={controls.button}>
          <UserPlus aria-hidden /> Join
        </button>
      ) : (
        <button type="button" className={controls.button} onClick={() => stop.current?.abort()}>
          Give up
        </button>
      )}
    </form>
  );
}
