import { FileArchive, FolderUp, Send, Upload as UploadIcon, X } from 'lucide-react';
import { useMemo, useRef, useState } from 'react';
import type { BlobId } from '../../../shared/ids.ts';
import type { LanyardClient, UploadSource } from '../../../shared/lanyard-client.ts';
import type { Submission } from '../../../shared/stages.ts';
import { go } from '../../app/router.ts';
import { useClient } from '../../client/client.ts';
import { useMaySubmit } from '../../store/farm-store.ts';
import { toastDone } from '../../store/toasts.ts';
import { controls, Empty, ErrorNote } from '../../ui/controls.tsx';
import { formatBytes, formatCount, plural } from '../../ui/format.ts';
import page from '../../ui/page.module.css';
import { chooseStage, clearDraft, dropInput, stagesOf, useDraft } from './draft.ts';
import { takeFiles } from './drop.ts';
import { checkForm, type Form } from './form.ts';
import { type InputFiles, sourceOf } from './input-files.ts';
import { CommandFields, NeedFields, SplitFields } from './JobFields.tsx';
import { StagesPanel } from './StagesPanel.tsx';
import css from './SubmitPage.module.css';
import { submissionOf } from './stages.ts';
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
  const stages = stagesOf(useDraft((draft) => draft));
  const checks = useMemo(() => stages?.map((stage) => checkForm(stage.form, stage.described)) ?? [checked], [stages, checked]);
  /** Another stage that is not valid yet. */
  const unsound = checked.spec === null ? undefined : indexOf(checks, ({ spec }) => spec === null);
  const taskCount = checks.every((one) => one.taskCount !== null) ? checks.reduce((sum, one) => sum + (one.taskCount ?? 0), 0) : null;
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
    if (template?.problem != null) return;
    if (unsound !== undefined) return chooseStage(unsound);
    if (checked.spec === null) return;
    setError(null);
    try {
      const blob = input === null ? undefined : await send(client, input, setSending);
      setSending({ step: 'Submitting', done: 0, total: 1, cancel: () => {} });
      const jobs =
        stages === null
          ? [await client.call('submitJob', { body: { ...checked.spec, ...(blob === undefined ? {} : { input: blob }) } })]
          : (await client.call('submitStages', { body: submissionOf(stages, blob) as Submission })).jobs;
      clearDraft();
      toastDone(jobs.length === 1 ? `Submitted job ${jobs[0]?.id}` : `Submitted ${plural(jobs.length, 'job')}`);
      // Of several the last, whose page shows what it waits for.
      go({ name: 'job', job: jobs.at(-1)?.id as number, task: null });
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
      <StagesPanel />
      <form
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div className={css.column}>
          <InputBox />
          <TemplateForm taskCount={checked.taskCount} />
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
              <Send aria-hidden /> Submit{taskCount === null ? '' : ` ${plural(taskCount, 'task')}`}
              {stages === null ? '' : ` in ${plural(stages.length, 'stage')}`}
            </button>
          ) : (
            <Progress sending={sending} />
          )}
        </div>
      </form>
    </div>
  );
}

function indexOf<T>(list: readonly T[], wanted: (one: T) => boolean): number | undefined {
  const index = list.findIndex(wanted);
  return index < 0 ? undefined : index;
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
