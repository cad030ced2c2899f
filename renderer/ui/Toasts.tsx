import { CircleCheck, TriangleAlert, X } from 'lucide-react';
import { closeToast, useToasts } from '../store/toasts.ts';
import { controls } from './controls.tsx';
import css from './Toasts.module.css';

/** Said once, at the edge of the screen, and read out by screen readers. */
export function Toasts() {
  const toasts = useToasts();
  return (
    <section className={css.list} aria-label="Messages" aria-live="polite">
      {toasts.map(({ id, kind, title, detail, action }) => (
        <div key={id} className={css.toast} data-kind={kind}>
          {kind === 'done' ? <CircleCheck aria-hidden /> : <TriangleAlert aria-hidden />}
          <div>
            <p>{title}</p>
            {detail !== null && <p className={controls.help}>{detail}</p>}
          </div>
          {action !== null && (
            <button
              type="button"
              className={controls.button}
              onClick={() => {
                closeToast(id);
                action.run();
              }}
            >
              {action.label}
            </button>
          )}
          <button
            type="button"
            className={`${controls.quiet} ${controls.iconOnly}`}
            aria-label="Close the message"
            onClick={() => closeToast(id)}
          >
            <X aria-hidden />
          </button>
        </div>
      ))}
    </section>
  );
}
