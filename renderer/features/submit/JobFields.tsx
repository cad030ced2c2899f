import { controls, Field, Segmented } from '../../ui/controls.tsx';
import { plural } from '../../ui/format.ts';
import { CanaryField, maySendAhead } from './CanaryField.tsx';
import { editForm, useDraft } from './draft.ts';
import type { Form } from './form.ts';
import css from './SubmitPage.module.css';

interface FieldsProps {
  readonly form: Form;
  readonly problems: Readonly<Partial<Record<keyof Form, string>>>;
}

export function CommandFields({ form, problems }: FieldsProps) {
  return (
    <section className={`${controls.panel} ${css.fields}`} aria-label="What it runs">
      <Text name="name" label="Name" form={form} problems={problems} help="What the queue calls it" />
      <Field
        label="Command"
        help="A shell line that each task runs. {frame}, {index} and {param.NAME} are filled in; {frame:4} pads with zeros."
        problem={problems.command}
      >
        {(input) => <textarea {...input} rows={2} value={form.command} onChange={(event) => editForm({ command: event.target.value })} />}
      </Field>
      <Field label="Keep these files" help="A pattern a line, for example frames/*.png. Each must fit a file." problem={problems.outputs}>
        {(input) => <textarea {...input} rows={2} value={form.outputs} onChange={(event) => editForm({ outputs: event.target.value })} />}
      </Field>
      <div className={css.row}>
        <Field label="Runs in">
          {(input) => (
            <select {...input} value={form.where} onChange={(event) => editForm({ where: event.target.value as Form['where'] })}>
              <option value="default">the farm’s default image</option>
              <option value="image">this image</option>
              <option value="host">no container: the machine itself</option>
            </select>
          )}
        </Field>
        {form.where === 'image' && <Text name="image" label="Image" form={form} problems={problems} />}
      </div>
    </section>
  );
}

export function SplitFields({ form, problems, count }: FieldsProps & { readonly count: number | null }) {
  const described = useDraft((draft) => draft.described.tasks?.kind === 'matrix');
  // A template asks for it among its own fields.
  const isAskedAbove = useDraft((draft) => draft.template !== null && draft.stages === null);
  const options: { value: Form['split']; label: string }[] = [
    { value: 'single', label: 'One task' },
    { value: 'frames', label: 'Frames' },
    { value: 'count', label: 'A number' },
    ...(described ? [{ value: 'described' as const, label: 'As lanyard.json says' }] : []),
  ];
  return (
    <section className={`${controls.panel} ${css.fields}`} aria-label="Tasks">
      <div className={css.split}>
        <h2>Tasks</h2>
        <Segmented label="How it is split" value={form.split} options={options} onChange={(split) => editForm({ split })} />
        {count !== null && <span className={css.soft}>{plural(count, 'task')}</span>}
      </div>
      {form.split === 'frames' && (
        <div className={css.row}>
          <Text name="frames" label="Frames" form={form} problems={problems} help="1-240, 1-240x2 or 1,5,9-12" />
          <Text name="chunk" label="Frames a task" form={form} problems={problems} />
        </div>
      )}
      {form.split === 'count' && (
        <div className={css.row}>
          <Text name="count" label="Tasks" form={form} problems={problems} help="{index} counts from 0" />
        </div>
      )}
      {!isAskedAbove && maySendAhead(count) && <CanaryField form={form} />}
    </section>
  );
}

export function NeedFields({ form, problems }: FieldsProps) {
  return (
    <section className={`${controls.panel} ${css.fields}`} aria-label="What each task needs">
      <h2>What each task needs</h2>
      <div className={css.row}>
        <Text name="cpu" label="CPU cores" form={form} problems={problems} />
        <Text name="ramMb" label="Memory, MiB" form={form} problems={problems} />
        <Text name="gpus" label="GPUs" form={form} problems={problems} />
      </div>
      <div className={css.row}>
        <Text name="labels" label="Labels of the node" form={form} problems={problems} help="Separated by commas" />
        <Text name="timeoutMinutes" label="Timeout, minutes" form={form} problems={problems} />
        <Text name="maxRetries" label="Retries" form={form} problems={problems} />
        <Text name="priority" label="Priority" form={form} problems={problems} help="0 to 100; higher goes first" />
      </div>
    </section>
  );
}

interface TextProps extends FieldsProps {
  readonly name: keyof Form;
  readonly label: string;
  readonly help?: string;
}

function Text({ name, label, help, form, problems }: TextProps) {
  return (
    <Field label={label} problem={problems[name]} {...(help === undefined ? {} : { help })}>
      {(input) => <input {...input} value={form[name]} onChange={(event) => editForm({ [name]: event.target.value })} />}
    </Field>
  );
}
