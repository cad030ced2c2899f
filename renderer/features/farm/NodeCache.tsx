import { Eraser, RefreshCw } from 'lucide-react';
import { useState } from 'react';
import type { NodeCacheView } from '../../../shared/view.ts';
import { hrefOf } from '../../app/router.ts';
import { useClient } from '../../client/client.ts';
import { errorValueOf } from '../../client/http.ts';
import { useMayAdminister } from '../../store/farm-store.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { Confirm, controls, type Question } from '../../ui/controls.tsx';
import { formatBytes, formatTime, plural } from '../../ui/format.ts';
import css from './NodePage.module.css';

interface NodeCacheProps {
  readonly node: string;
  readonly name: string;
  /** A machine that is away cannot be asked. */
  readonly isHere: boolean;
}

/** What a machine keeps so that it need not be fetched again: inputs, which an administrator may clear, and images. */
export function NodeCache({ node, name, isHere }: NodeCacheProps) {
  const client = useClient();
  const mayAdminister = useMayAdminister();
  const [question, setQuestion] = useState<Question | null>(null);
  const { answer, error, askAgain } = useAnswer(
    async (farm) => (isHere ? await farm.call('getNodeCache', { params: { node } }) : null),
    [node, isHere],
  );
  const idle = answer?.inputs.filter(({ isHeld }) => !isHeld) ?? [];
  const clear = () =>
    void client.call('clearNodeCache', { params: { node } }).then(
      () => {
        toastDone(`Cleared the cache of ${name}`);
        askAgain();
      },
      (cause: unknown) => toastError(`Clear the cache of ${name}`, cause),
    );
  return (
    <section className={controls.panel} aria-label="What it keeps">
      <div className={controls.panelHead}>
        <h2>What it keeps</h2>
        {isHere && (
          <div className={css.pages}>
            <button type="button" className={`${controls.quiet} ${controls.iconOnly}`} aria-label="Look again" onClick={askAgain}>
              <RefreshCw aria-hidden />
            </button>
            {mayAdminister && idle.length > 0 && (
              <button
                type="button"
                className={controls.danger}
                onClick={() =>
                  setQuestion({
                    title: `Clear the cache of ${name}?`,
                    detail: `${plural(idle.length, 'input')} that nothing works on (${formatBytes(bytesOf(idle))}) are removed, and fetched again by the next task that needs them. Images stay.`,
                    verb: 'Clear',
                    run: clear,
                  })
                }
              >
                <Eraser aria-hidden /> Clear
              </button>
            )}
          </div>
        )}
      </div>
      {!isHere && <p className={`${controls.panelBody} ${css.soft}`}>It is not connected, so it cannot be asked.</p>}
      {isHere && error !== null && <p className={`${controls.panelBody} ${css.soft}`}>{errorValueOf(error).message}</p>}
      {isHere && answer !== null && <Contents cache={answer} />}
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </section>
  );
}

function Contents({ cache: { capBytes, inputs, images } }: { readonly cache: NodeCacheView }) {
  const used = bytesOf(inputs);
  return (
    <>
      <div className={controls.panelBody}>
        <p className={css.soft}>
          Inputs take {formatBytes(used)} of the {formatBytes(capBytes)} that they may.
        </p>
      </div>
      {inputs.length + images.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        <section className={css.kept} tabIndex={0} aria-label="Inputs and images">
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">Input or image</th>
                <th scope="col">Size</th>
                <th scope="col">Last used</th>
              </tr>
            </thead>
            <tbody>
              {inputs.map(({ blob, kind, bytes, usedAt, isHeld, job }) => (
                <tr key={kind + blob}>
                  <td>
                    {job === null ? (
                      <span className={css.soft}>of a job that is gone ({blob.slice(0, 8)})</span>
                    ) : (
                      <a href={hrefOf({ name: 'job', job: job.id, task: null })}>{job.name}</a>
                    )}
                    {kind === 'file' && <span className={css.soft}> · a file</span>}
                  </td>
                  <td className={css.figure}>{formatBytes(bytes)}</td>
                  <td className={css.soft}>{isHeld ? 'in use' : formatTime(usedAt)}</td>
                </tr>
              ))}
              {images.map(({ name, bytes }) => (
                <tr key={name}>
                  <td>
                    {name} <span className={css.soft}>· image</span>
                  </td>
                  <td className={css.figure}>{formatBytes(bytes)}</td>
                  <td />
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}

function bytesOf(inputs: readonly { readonly bytes: number }[]): number {
  return inputs.reduce((sum, { bytes }) => sum + bytes, 0);
}
