import { Field } from '../../ui/controls.tsx';
import { editForm } from './draft.ts';
import type { Form } from './form.ts';

/** A canary of a few tasks says nothing that the others do not. */
export function maySendAhead(taskCount: number | null): boolean {
  return (taskCount ?? 0) > 3;
}

/** Whether the first, the middle and the last task are sent ahead. */
export function CanaryField({ form }: { readonly form: Form }) {
  return (
    <Field label="First tasks" help="A canary shows what the tasks need, and what comes out, before all of them run.">
      {(input) => (
        <select {...input} value={form.canary} onChange={(event) => editForm({ canary: event.target.value as Form['canary'] })}>
          <option value="none">run with all others</option>
          <option value="automatic">run first, then the rest with what they needed</option>
          <option value="by-hand">run first, then wait for approval</option>
        </select>
      )}
    </Field>
  );
}
