import { Dialog } from '@base-ui/react/dialog';
import { ListOrdered } from 'lucide-react';
import { useState } from 'react';
import type { JobView } from '../../../shared/view.ts';
import { useClient } from '../../client/client.ts';
import { farmStore } from '../../store/farm-store.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { controls, Field, Segmented } from '../../ui/controls.tsx';
import { formatCount } from '../../ui/format.ts';
import css from './JobActionButtons.module.css';
import { findJobs, type Place, queueOf } from './queue-place.ts';

/** Gives a job that waits another place among its owner's of the same priority. */
export function MoveButton({ job }: { readonly job: JobView }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button type="button" className={controls.button} onClick={() => setOpen(true)}>
        <ListOrdered aria-hidden /> Move…
      </button>
      <Dialog.Root open={isOpen} onOpenChange={setOpen}>
        <Dialog.Portal>
          <Dialog.Backdrop className={controls.overlay} />
          <Dialog.Popup className={controls.dialog}>
            <div className={controls.dialogBody}>
              <Dialog.Title>Move job {job.id}</Dialog.Title>
              <MoveForm job={job} onDone={() => setOpen(false)} />
            </div>
          </Dialog.Popup>
        </Dialog.Portal>
      </Dialog.Root>
    </>
  );
}

/** So many can be chosen from at once; others are found by their number or name. */
const MOST = 100;
const KINDS = [
  { value: 'first', label: 'First' },
  { value: 'before', label: 'Just before' },
  { value: 'last', label: 'Last' },
] as const;
const SAID: Readonly<Record<(typeof KINDS)[number]['value'], string>> = { first: 'first', before: 'just before', last: 'last' };

function MoveForm({ job, onDone }: { readonly job: JobView; readonly onDone: () => void }) {
  const client = useClient();
  // As it stood when it was asked: a list that moves under the hand is no help.
  const [queue] = useState(() => queueOf(job, farmStore.getState().jobs.values()));
  const [kind, setKind] = useState<(typeof KINDS)[number]['value']>('before');
  const [words, setWords] = useState('');
  const [chosen, setChosen] = useState<number | null>(null);
  const others = queue.filter(({ id }) => id !== job.id);
  const found = findJobs(others, words, MOST);
  const before = (found.find(({ id }) => id === chosen) ?? found[0])?.id ?? null;
  const place: Place | null = kind !== 'before' ? kind : before === null ? null : { before };
  const move = (to: Place) => {
    onDone();
    client.call('updateJob', { params: { job: job.id }, body: { move: to } }).then(
      () => toastDone(`Job ${job.id} stands ${SAID[kind]}${typeof to === 'object' ? ` job ${to.before}` : ''} now`),
      (error: unknown) => toastError(`Move job ${job.id}`, error),
    );
  };
  const whose = `${job.owner}’s jobs with priority ${job.priority}`;
  return (
    <>
      <Dialog.Description>
        {others.length === 0
          ? `It is the only one of ${whose} that waits. What others’ jobs there are is a matter of priority and fair share.`
          : `It is number ${formatCount(queue.findIndex(({ id }) => id === job.id) + 1)} of ${formatCount(queue.length)} of ${whose}.`}
      </Dialog.Description>
      {others.length > 0 && <Segmented label="New place" value={kind} options={KINDS} onChange={setKind} />}
      {others.length > 0 && kind === 'before' && (
        <>
          <Field label="Find a job by number or name">
            {(input) => <input {...input} type="search" value={words} onChange={(event) => setWords(event.target.value)} />}
          </Field>
          <select
            className={css.queue}
            size={8}
            aria-label="Just before this job"
            value={before ?? ''}
            onChange={(event) => setChosen(Number(event.target.value))}
          >
            {found.map(({ id, name }) => (
              <option key={id} value={id}>
                {id} · {name}
              </option>
            ))}
          </select>
        </>
      )}
      <div className={controls.dialogActions}>
        <Dialog.Close className={controls.button}>Leave it</Dialog.Close>
        {others.length > 0 && (
          <button type="button" className={controls.primary} disabled={place === null} onClick={() => place !== null && move(place)}>
            Move
          </button>
        )}
      </div>
    </>
  );
}
