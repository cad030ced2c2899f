import { FileArchive, FolderUp, Send, Upload as UploadIcon, X } from 'lucide-react';
import { useMemo, useRef, useState } from 'react';
import type { BlobId } from '../../../shared/ids.ts';
import type { LanyardClient, UploadSource } from '../../../shared/lanyard-client.ts';
import { go } from '../../app/router.ts';
import { useClient } from '../../client/client.ts';
import { useMaySubmit } from '../../store/farm-store.ts';
import { toastDone } from '../../store/toasts.ts';
import { controls, Empty, ErrorNote, Field, Segmented } from '../../ui/controls.tsx';
import { formatBytes, formatCount, plural } from '../../ui/format.ts';
import page from '../../ui/page.module.css';
import { CanaryField } from './CanaryField.tsx';
import { clearDraft, dropInput, editForm, useDraft } from './draft.ts';
import { takeFiles } from './drop.ts';
import { checkForm, type Form } from './form.ts';
import { type InputFiles, sourceOf } from './input-files.ts';
import css from './SubmitPage.module.css';
import { TemplateForm } from './TemplateForm.tsx';
import { packFolder } from './zip.ts';

interface Sending {
  readonly step: 'Packing' | 'Naming' | 'Sending' | 'Submitting';
  readonly done: number;
  readonly total: number;
  readonly cancel: () => void;
}

/** A new job: its files, its command, how it is split and what it needs. */
export function SubmitPage() {
  const client = useClient();
  const maySubmit = useMaySubmit();
  const form = useDraft((draft) => draft.form);
  const described = useDraft((draft) => draft.described);
  const input = useDraft((draft) => draft.input);
  const template = useDraft((draft) => draft.template);
  const checked = useMemo(() => checkForm(form, described), [form, described]);
  const [tried, setTried] = useState(false);
  const [sending, setSending] = useState<Sending | null>(null);
  const [error, setError] = useState<unknown>(null);
  if (!maySubmit)
    return (
      <div className={page.page}>
        <Empty icon={<Send aria-hidden />} title="Your token lets you look, not submit">
          <p>Ask an administrator of the farm for a token with the role of a submitter.</p>
        </Empty>
      </div>
    );
  // Before the first try an empty field is no mistake yet.
  const problems = tried ? checked.problems : onlyTyped(checked.problems, form);

  const submit = async () => {
    setTried(true);
    if (checked.spec === null || template?.problem != null) return;
    setError(null);
    try {
      const blob = input === null ? undefined : await send(client, input, setSending);
      setSending({ step: 'Submitting', done: 0, total: 1, cancel: () => {} });
      const job = await client.call('submitJob', { body: { ...checked.spec, ...(blob === undefined ? {} : { input: blob }) } });
      clearDraft();
      toastDone(`Submitted job ${job.id}`);
      go({ name: 'job', job: job.id, task: null });
    } catch (cause) {
      setError(cause);
    } finally {
      setSending(null);
    }
  };
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Submit a job</h1>
      </header>
      <form
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div className={css.column}>
          <InputBox />
          <TemplateForm />
          <CommandFields form={form} problems={problems} />
          <SplitFields form={form} problems={problems} count={checked.taskCount} />
          <NeedFields form={form} problems={problems} />
        </div>
        <div className={css.side}>
          <Preview first={checked.first} last={checked.last} count={checked.taskCount} />
          {error !== null && <ErrorNote error={error} />}
          {tried && template?.problem != null && (
            <p className={controls.problem} role="alert">
              {template.problem.message}
            </p>
          )}
          {tried && Object.keys(checked.problems).length > 0 && (
            <p className={controls.problem} role="alert">
              {plural(Object.keys(checked.problems).length, 'field')} still to mend.
            </p>
          )}
          {sending === null ? (
            <button type="submit" className={`${controls.primary} ${css.send}`}>
              <Send aria-hidden /> Submit{checked.taskCount === null ? '' : ` ${plural(checked.taskCount, 'task')}`}
            </button>
          ) : (
            <Progress sending={sending} />
          )}
        </div>
      </form>
    </div>
  );
}

/** A problem with what is not typed yet is not told before one tries. */
function onlyTyped(problems: Readonly<Partial<Record<keyof Form, string>>>, form: Form): Readonly<Partial<Record<keyof Form, string>>> {
  return Object.fromEntries(Object.entries(problems).filter(([field]) => form[field as keyof Form] !== ''));
}

/** Packs what is a folder, and uploads. Sent before, it is known by its hash and not sent again. */
async function send(client: LanyardClient, input: InputFiles, show: (sending: Sending) => void): Promise<BlobId> {
  let source: UploadSource;
  if (input.kind === 'zip') source = input.source;
  else {
    const stop = new AbortController();
    const cancel = () => stop.abort(new Error('The packing was cancelled.'));
    show({ step: 'Packing', done: 0, total: input.files.length, cancel });
    const file = await packFolder(
      input.files,
      (packed) => show({ step: 'Packing', done: packed, total: input.files.length, cancel }),
      stop.signal,
    );
    source = sourceOf(input.name, file);
  }
  const upload = client.upload(source, ({ step, done, total }) =>
    show({ step: step === 'hashing' ? 'Naming' : 'Sending', done, total, cancel: upload.cancel }),
  );
  return await upload.finished;
}

function InputBox() {
  const input = useDraft((draft) => draft.input);
  const problem = useDraft((draft) => draft.problem);
  const isRepeated = useDraft((draft) => draft.described.input !== undefined);
  const isReading = useDraft((draft) => draft.isReading);
  const zip = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const take = (element: HTMLInputElement) => {
    if (element.files !== null && element.files.length > 0) takeFiles(element.files);
    element.value = '';
  };
  return (
    <section className={`${controls.panel} ${css.input}`} aria-label="Files">
      {input === null && isRepeated ? (
        <>
          <FileArchive aria-hidden />
          <p>
            <strong>The files of the job that this one repeats</strong>
            <br />
            They are at the coordinator already. Drop others to take their place.
          </p>
          <button type="button" className={controls.quiet} onClick={dropInput}>
            <X aria-hidden /> Take them out
          </button>
        </>
      ) : input === null ? (
        <>
          <UploadIcon aria-hidden />
          <p>
            <strong>{isReading ? 'Reading…' : 'Drop a zip or a folder anywhere on this window'}</strong>
            <br />
            It becomes the folder that each task starts in. A <code>lanyard.json</code> in it fills this form. A job may also do without
            files.
          </p>
          <span className={css.choose}>
            <button type="button" className={controls.button} onClick={() => zip.current?.click()}>
              <FileArchive aria-hidden /> Choose a zip
            </button>
            <button type="button" className={controls.button} onClick={() => folder.current?.click()}>
              <FolderUp aria-hidden /> Choose a folder
            </button>
          </span>
        </>
      ) : (
        <>
          {input.kind === 'zip' ? <FileArchive aria-hidden /> : <FolderUp aria-hidden />}
          <p>
            <strong>{input.name}</strong>
            <br />
            {formatBytes(input.bytes)}
            {input.kind === 'folder' && `, ${plural(input.files.length, 'file')}`}
          </p>
          <button type="button" className={controls.quiet} onClick={dropInput}>
            <X aria-hidden /> Take it out
          </button>
        </>
      )}
      <input ref={zip} hidden type="file" accept=".zip" onChange={(event) => take(event.target)} />
      <input ref={folder} hidden type="file" {...{ webkitdirectory: '' }} onChange={(event) => take(event.target)} />
      {problem !== null && <ErrorNote error={problem} />}
    </section>
  );
}

interface FieldsProps {
  readonly form: Form;
  readonly problems: Readonly<Partial<Record<keyof Form, string>>>;
}

function CommandFields({ form, problems }: FieldsProps) {
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

function SplitFields({ form, problems, count }: FieldsProps & { readonly count: number | null }) {
  const described = useDraft((draft) => draft.described.tasks?.kind === 'matrix');
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
      {(count ?? 0) > 3 && <CanaryField form={form} />}
    </section>
  );
}

function NeedFields({ form, problems }: FieldsProps) {
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

function Preview({ first, last, count }: { readonly first: string | null; readonly last: string | null; readonly count: number | null }) {
  return (
    <section className={controls.panel} aria-label="What will run">
      <div className={controls.panelHead}>
        <h2>What will run</h2>
      </div>
      <div className={css.preview}>
        {first === null ? (
          <p className={css.soft}>The command appears here as it will run.</p>
        ) : (
          <>
            <p className={css.soft}>{last === null ? 'The task' : 'First task'}</p>
            <pre>{first}</pre>
          </>
        )}
        {last !== null && (
          <>
            <p className={css.soft}>Last of {formatCount(count ?? 0)}</p>
            <pre>{last}</pre>
          </>
        )}
      </div>
    </section>
  );
}

function Progress({ sending }: { readonly sending: Sending }) {
  const { step, done, total, cancel } = sending;
  const figure = step === 'Packing' ? `${formatCount(done)} of ${plural(total, 'file')}` : `${formatBytes(done)} of ${formatBytes(total)}`;
  return (
    <div className={css.progress}>
      <p role="status">
        {step}… {step !== 'Submitting' && figure}
      </p>
      <progress aria-label={step} max={Math.max(1, total)} value={done} />
      {step !== 'Submitting' && (
        <button type="button" className={controls.button} onClick={cancel}>
          <X aria-hidden /> Cancel
        </button>
      )}
    </div>
  );
}
