import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { useId } from 'react';
import { errorValueOf } from '../client/http.ts';
import css from './controls.module.css';

export { css as controls };

/** A value of 0 to 1 as a short bar with its figure; the figure is what counts. */
export function Meter({ label, share, figure }: { readonly label: string; readonly share: number; readonly figure: string }) {
  return (
    <div className={css.meter}>
      <span>{label}</span>
      <span className={css.track}>
        <i style={{ width: `${Math.min(100, Math.max(0, share * 100))}%` }} />
      </span>
      <span>{figure}</span>
    </div>
  );
}

/** What stands where there is nothing yet, and how to get something there. */
export function Empty({ icon, title, children }: { readonly icon: ReactNode; readonly title: string; readonly children?: ReactNode }) {
  return (
    <div className={css.empty}>
      {icon}
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** What went wrong and what to do about it. */
export function ErrorNote({ error, children }: { readonly error: unknown; readonly children?: ReactNode }) {
  const { message, hint } = errorValueOf(error);
  return (
    <div className={css.noteError} role="alert">
      <TriangleAlert aria-hidden />
      <div>
        <p>{message}</p>
        {hint !== undefined && <p className={css.help}>{hint}</p>}
        {children}
      </div>
    </div>
  );
}

export function Note({ children }: { readonly children: ReactNode }) {
  return (
    <div className={css.note}>
      <Info aria-hidden />
      <div>{children}</div>
    </div>
  );
}

interface FieldProps {
  readonly label: string;
  readonly help?: string;
  /** What is wrong with it, said beside it. */
  readonly problem?: string | undefined;
  readonly children: (input: { id: string; 'aria-invalid'?: true; 'aria-describedby'?: string; className: string }) => ReactNode;
}

/** A labelled input with its help and its problem, tied together for those who hear the screen. */
export function Field({ label, help, problem, children }: FieldProps) {
  const id = useId();
  const described = problem !== undefined ? `${id}-problem` : help !== undefined ? `${id}-help` : undefined;
  return (
    <div className={css.field}>
      <label className={css.label} htmlFor={id}>
        {label}
      </label>
      {children({
        id,
        className: css.input as string,
        ...(problem === undefined ? {} : { 'aria-invalid': true as const }),
        ...(described === undefined ? {} : { 'aria-describedby': described }),
      })}
      {problem !== undefined ? (
        <span className={css.problem} id={`${id}-problem`}>
          {problem}
        </span>
      ) : (
        help !== undefined && (
          <span className={css.help} id={`${id}-help`}>
            {help}
          </span>
        )
      )}
    </div>
  );
}

interface SegmentedProps<Value extends string> {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly { readonly value: Value; readonly label: string }[];
  readonly onChange: (value: Value) => void;
}

/** A choice among few, all in sight. */
export function Segmented<Value extends string>({ label, value, options, onChange }: SegmentedProps<Value>) {
  return (
    <fieldset className={css.segmented} aria-label={label}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          className={css.quiet}
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
        >
          {option.label}
        </button>
      ))}
    </fieldset>
  );
}

export interface Question {
  readonly title: string;
  readonly detail: string;
  /** What the button says that does it. */
  readonly verb: string;
  readonly run: () => void;
}

/** Asks before something that cannot be taken back. Open while there is a question. */
export function Confirm({ question, onClose }: { readonly question: Question | null; readonly onClose: () => void }) {
  return (
    <AlertDialog.Root open={question !== null} onOpenChange={(open) => !open && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className={css.overlay} />
        <AlertDialog.Popup className={css.dialog}>
          {question !== null && (
            <div className={css.dialogBody}>
              <AlertDialog.Title>{question.title}</AlertDialog.Title>
              <AlertDialog.Description>{question.detail}</AlertDialog.Description>
              <div className={css.dialogActions}>
                <AlertDialog.Close className={css.button}>Keep</AlertDialog.Close>
                <AlertDialog.Close className={css.danger} onClick={question.run}>
                  {question.verb}
                </AlertDialog.Close>
              </div>
            </div>
          )}
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
