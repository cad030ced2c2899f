import { ChevronLeft, ChevronRight, Download, File, FileText, Film, Images } from 'lucide-react';
import { type KeyboardEvent, useEffect, useState } from 'react';
import type { OutputView } from '../../../shared/view.ts';
import { useClient } from '../../client/client.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { controls, Empty, ErrorNote } from '../../ui/controls.tsx';
import { formatBytes, plural } from '../../ui/format.ts';
import { Filmstrip } from './Filmstrip.tsx';
import css from './Outputs.module.css';
import { outputKind, readMedia, TEXT_BYTES } from './output-files.ts';

/** Files listed at first; the rest on demand. */
const LISTED = 200;

interface OutputsProps {
  readonly job: number;
  /** Its tasks that are complete: with each there may be more files. */
  readonly completed: number;
  readonly isLive: boolean;
  /** Whether the job says which files to keep. */
  readonly expected: boolean;
}

/** What the job has produced: pictures on a strip, everything in a list. */
export function Outputs({ job, completed, isLive, expected }: OutputsProps) {
  const client = useClient();
  const { answer, error } = useAnswer((farm) => farm.call('listOutputs', { params: { job } }), [job], [completed]);
  const outputs = answer?.outputs ?? null;
  const [chosen, setChosen] = useState<string | null>(null);
  const shown = outputs?.filter((output) => outputKind(output) !== 'other') ?? [];
  const pictures = shown.filter((output) => ['picture', 'still'].includes(outputKind(output)));
  const current = shown.find((output) => keyOf(output) === chosen) ?? pictures.at(-1) ?? null;
  if (!expected && outputs?.length === 0) return null;
  return (
    <section className={controls.panel} aria-label="Outputs">
      <div className={controls.panelHead}>
        <h2>Outputs</h2>
        {outputs !== null && outputs.length > 0 && (
          <>
            <span className={css.soft}>
              {plural(outputs.length, 'file')}, {formatBytes(outputs.reduce((sum, output) => sum + output.bytes, 0))}
            </span>
            <SaveButton label="Save all" name="outputs.zip" save={() => client.saveOutputs(job)} />
          </>
        )}
      </div>
      {error !== null && <ErrorNote error={error} />}
      {outputs?.length === 0 && (
        <Empty icon={<Images aria-hidden />} title={isLive ? 'No outputs yet' : 'No outputs'}>
          <p>
            {isLive ? 'The files that the job is to keep appear here as its tasks complete.' : 'No task completed, so no file was kept.'}
          </p>
        </Empty>
      )}
      {current !== null && <Viewer key={keyOf(current)} output={current} shown={shown} onChoose={(output) => setChosen(keyOf(output))} />}
      {pictures.length > 1 && <Filmstrip pictures={pictures} current={current} onChoose={(output) => setChosen(keyOf(output))} />}
      {outputs !== null && outputs.length > 0 && <FileList outputs={outputs} onShow={(output) => setChosen(keyOf(output))} />}
    </section>
  );
}

function keyOf(output: OutputView): string {
  return `${output.task}/${output.path}`;
}

interface ViewerProps {
  readonly output: OutputView;
  readonly shown: readonly OutputView[];
  readonly onChoose: (output: OutputView) => void;
}

function Viewer({ output, shown, onChoose }: ViewerProps) {
  const at = shown.indexOf(output);
  const step = (by: number) => {
    const next = shown[at + by];
    if (next !== undefined) onChoose(next);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowLeft') step(-1);
    else if (event.key === 'ArrowRight') step(1);
  };
  return (
    <figure className={css.viewer} onKeyDown={onKey}>
      <button
        type="button"
        className={`${controls.quiet} ${controls.iconOnly}`}
        aria-label="Previous file"
        disabled={at <= 0}
        onClick={() => step(-1)}
      >
        <ChevronLeft aria-hidden />
      </button>
      <Media output={output} />
      <button
        type="button"
        className={`${controls.quiet} ${controls.iconOnly}`}
        aria-label="Next file"
        disabled={at >= shown.length - 1}
        onClick={() => step(1)}
      >
        <ChevronRight aria-hidden />
      </button>
      <figcaption>
        {output.path}{' '}
        <span className={css.soft}>
          · task {output.task.split('.')[1]}
          {outputKind(output) === 'still' && ' · shown as a smaller copy'}
        </span>
      </figcaption>
    </figure>
  );
}

function Media({ output }: { readonly output: OutputView }) {
  const client = useClient();
  const kind = outputKind(output);
  const [address, setAddress] = useState<string | null>(null);
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    let url: string | undefined;
    let isGone = false;
    const show = async () => {
      if (kind === 'text') {
        const bytes = await client.readOutput(output, TEXT_BYTES);
        if (!isGone) setText(new TextDecoder().decode(bytes));
        return;
      }
      const blob = await readMedia(client, output);
      if (isGone) return;
      url = URL.createObjectURL(blob);
      setAddress(url);
    };
    show().catch((cause: unknown) => isGone || setError(cause));
    return () => {
      isGone = true;
      if (url !== undefined) URL.revokeObjectURL(url);
    };
  }, [client, output, kind]);
  if (error !== null) return <ErrorNote error={error} />;
  if (text !== null)
    return (
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      <section className={css.text} tabIndex={0} aria-label={`Text of ${output.path}`}>
        {text}
        {output.bytes > TEXT_BYTES && '\n… save the file to read the rest.'}
      </section>
    );
  if (address === null) return <span className={css.loading} />;
  if (kind === 'video')
    return (
      // biome-ignore lint/a11y/useMediaCaption: what a farm renders has no captions
      <video
        className={css.media}
        src={address}
        controls
        onError={() => setError(new Error('This browser cannot play this file. Save it and open it with a player.'))}
      />
    );
  return (
    <img
      className={css.media}
      src={address}
      alt={output.path}
      onError={() => setError(new Error('This file does not hold a picture that a browser can show. Save it instead.'))}
    />
  );
}

const ICONS = { picture: Images, still: Images, video: Film, text: FileText, other: File };

function FileList({ outputs, onShow }: { readonly outputs: readonly OutputView[]; readonly onShow: (output: OutputView) => void }) {
  const client = useClient();
  const [all, setAll] = useState(false);
  const listed = all ? outputs : outputs.slice(0, LISTED);
  return (
    <div className={css.files}>
      <table>
        <thead className="visually-hidden">
          <tr>
            <th>File</th>
            <th>Task</th>
            <th>Size</th>
            <th>Save</th>
          </tr>
        </thead>
        <tbody>
          {listed.map((output) => {
            const kind = outputKind(output);
            const Icon = ICONS[kind];
            return (
              <tr key={keyOf(output)}>
                <td>
                  <span className={controls.chip}>
                    <Icon aria-hidden />
                    {kind === 'other' ? (
                      output.path
                    ) : (
                      <button type="button" className={css.link} onClick={() => onShow(output)}>
                        {output.path}
                      </button>
                    )}
                  </span>
                </td>
                <td className={css.soft}>task {output.task.split('.')[1]}</td>
                <td className={css.size}>{formatBytes(output.bytes)}</td>
                <td>
                  <SaveButton label="Save" name={output.path} save={() => client.saveOutput(output)} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {listed.length < outputs.length && (
        <button type="button" className={controls.quiet} onClick={() => setAll(true)}>
          Show all {plural(outputs.length, 'file')}
        </button>
      )}
    </div>
  );
}

function SaveButton({ label, name, save }: { readonly label: string; readonly name: string; readonly save: () => Promise<void> }) {
  const [isBusy, setBusy] = useState(false);
  return (
    <button
      type="button"
      className={controls.quiet}
      aria-label={`${label}: ${name}`}
      disabled={isBusy}
      onClick={() => {
        setBusy(true);
        save()
          .then(
            () => toastDone(`Saved ${name}`),
            (error: unknown) => toastError(`Save ${name}`, error),
          )
          .finally(() => setBusy(false));
      }}
    >
      <Download aria-hidden /> {isBusy ? 'Saving…' : label}
    </button>
  );
}
