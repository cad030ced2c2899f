import { Check, Radar, X } from 'lucide-react';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import type { FoundFarm } from '../../shared/ipc.ts';
import type { Desktop, PairedFarm } from '../client/ipc-client.ts';
import { controls, ErrorNote, Field } from '../ui/controls.tsx';
import css from './Welcome.module.css';

interface PairFarmProps {
  readonly desktop: Desktop;
  readonly onFarm: () => void;
}

type Step =
  | { readonly name: 'choose' }
  | { readonly name: 'asks' }
  | { readonly name: 'compares'; readonly digits: string; readonly answer: (same: boolean) => void }
  | { readonly name: 'waits' };

/** The way into a farm without an invite: it is found on the network or named by its address, and two people compare six digits. */
export function PairFarm({ desktop, onFarm }: PairFarmProps) {
  const [step, setStep] = useState<Step>({ name: 'choose' });
  const [error, setError] = useState<unknown>(null);
  const stop = useRef<AbortController>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const pair = async (farm: PairedFarm) => {
    stop.current = new AbortController();
    setStep({ name: 'asks' });
    setError(null);
    const digits = (text: string, answer: (same: boolean) => void) => setStep({ name: 'compares', digits: text, answer });
    try {
      await desktop.pair(farm, { digits, waiting: () => setStep({ name: 'waits' }) }, stop.current.signal);
      onFarm();
    } catch (cause) {
      setError(cause);
      setStep({ name: 'choose' });
    }
  };
  return (
    <section className={css.part} aria-label="By six digits">
      {step.name === 'choose' && <ChooseFarm desktop={desktop} onChoose={(farm) => void pair(farm)} />}
      {step.name === 'asks' && <p role="status">Asking the coordinator…</p>}
      {step.name === 'compares' && (
        <>
          <output className={css.digits} aria-label="Six digits">{`${step.digits.slice(0, 3)} ${step.digits.slice(3)}`}</output>
          <p>An administrator sees six digits too, under Settings. Are they the same?</p>
          <button type="button" className={controls.primary} onClick={() => step.answer(true)}>
            <Check aria-hidden /> They are the same
          </button>
          <button type="button" className={controls.button} onClick={() => step.answer(false)}>
            <X aria-hidden /> They differ
          </button>
        </>
      )}
      {step.name === 'waits' && <p role="status">An administrator now has to let this machine in.</p>}
      {error !== null && <ErrorNote error={error} />}
      {(step.name === 'asks' || step.name === 'waits') && (
        <button type="button" className={controls.button} onClick={() => stop.current?.abort()}>
          Give up
        </button>
      )}
    </section>
  );
}

function ChooseFarm({ desktop, onChoose }: { readonly desktop: Desktop; readonly onChoose: (farm: PairedFarm) => void }) {
  const [farms, setFarms] = useState<readonly FoundFarm[]>();
  const [isLooking, setLooking] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [address, setAddress] = useState('');
  const look = () => {
    setLooking(true);
    desktop
      .findFarms()
      .then(setFarms, setError)
      .finally(() => setLooking(false));
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onChoose({ address: address.trim() });
  };
  return (
    <>
      <button type="button" className={controls.button} disabled={isLooking} onClick={look}>
        <Radar aria-hidden /> {isLooking ? 'Looking…' : 'Look for farms on this network'}
      </button>
      {error !== null && <ErrorNote error={error} />}
      {farms?.map(({ name, coordinator, coordinatorName, fingerprint, addresses }) => (
        <button
          key={coordinator}
          type="button"
          className={controls.button}
          onClick={() => onChoose({ address: addresses[0] ?? '', coordinator })}
        >
          {name}, coordinated by {coordinatorName} ({fingerprint})
        </button>
      ))}
      {farms?.length === 0 && <p role="status">No farm announces itself here. Ask for its address, or for an invite.</p>}
      <form className={css.part} onSubmit={submit}>
        <Field label="Address of the coordinator" help="No invite at hand? Ask here; an administrator compares six digits and lets you in.">
          {(input) => (
            <input {...input} value={address} placeholder="10.0.0.5" required onChange={(event) => setAddress(event.target.value)} />
          )}
        </Field>
        <button type="submit" className={controls.button}>
          <Check aria-hidden /> Ask to be let in
        </button>
      </form>
    </>
  );
}
