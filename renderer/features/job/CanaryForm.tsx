import { Check, X } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { type TaskNeeds, taskNeedsSchema } from '../../../shared/canary.ts';
import { controls, Field } from '../../ui/controls.tsx';
import css from './CanaryPanel.module.css';

interface CanaryFormProps {
  readonly needs: TaskNeeds;
  readonly onApprove: (needs: TaskNeeds) => void;
  readonly onClose: () => void;
}

const MINUTE_MS = 60_000;

/** What each of the other tasks is to ask for, begun with what is proposed. */
export function CanaryForm({ needs, onApprove, onClose }: CanaryFormProps) {
  const [typed, setTyped] = useState({
    cpu: String(needs.cpu),
    ramMb: String(needs.ramMb),
    timeoutMs: String(needs.timeoutMs / MINUTE_MS),
  });
  const number = (text: string) => (text.trim() === '' ? Number.NaN : Number(text));
  const parsed = taskNeedsSchema.safeParse({
    cpu: number(typed.cpu),
    ramMb: number(typed.ramMb),
    timeoutMs: Math.round(number(typed.timeoutMs) * MINUTE_MS),
  });
  const problemOf = (name: keyof TaskNeeds) => parsed.error?.issues.find(({ path }) => path[0] === name)?.message;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (parsed.success) onApprove(parsed.data);
  };
  const field = (name: keyof TaskNeeds, label: string) => (
    <Field label={label} problem={problemOf(name)}>
      {(input) => (
        <input
          {...input}
          inputMode="decimal"
          value={typed[name]}
          onChange={(event) => setTyped({ ...typed, [name]: event.target.value })}
        />
      )}
    </Field>
  );
  return (
    <form className={css.form} aria-label="What the other tasks ask for" onSubmit={submit}>
      <div className={css.fields}>
        {field('cpu', 'CPU cores')}
        {field('ramMb', 'Memory, MiB')}
        {field('timeoutMs', 'Timeout, minutes')}
      </div>
      <div className={css.actions}>
        <button type="submit" className={controls.primary} disabled={!parsed.success}>
          <Check aria-hidden /> Approve with these
        </button>
        <button type="button" className={controls.button} onClick={onClose}>
          <X aria-hidden /> Back
        </button>
      </div>
    </form>
  );
}
