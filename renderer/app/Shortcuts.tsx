import { Dialog } from '@base-ui/react/dialog';
import { controls } from '../ui/controls.tsx';
import type { Command } from './commands.ts';
import css from './Shortcuts.module.css';

/** Keys that belong to one kind of place, and not to the whole window. */
const IN_PLACES: readonly { readonly where: string; readonly keys: string; readonly does: string }[] = [
  { where: 'List of jobs', keys: '↑ ↓', does: 'move between rows' },
  { where: 'List of jobs', keys: 'Space', does: 'choose a row; with Shift, all up to it' },
  { where: 'List of jobs', keys: 'Enter', does: 'open the job' },
  { where: 'Tasks of a job', keys: '← ↑ → ↓', does: 'move between tasks' },
  { where: 'Tasks of a job', keys: 'Enter', does: 'show the task' },
  { where: 'Log', keys: 'End', does: 'go to the end and follow' },
  { where: 'Log', keys: 'Enter', does: 'in the search: next match (Shift: the one before)' },
];

/** Every key that does something. */
export function Shortcuts({
  open,
  commands,
  onClose,
}: {
  readonly open: boolean;
  readonly commands: readonly Command[];
  readonly onClose: () => void;
}) {
  return (
    <Dialog.Root open={open} onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={controls.overlay} />
        <Dialog.Popup className={controls.dialog}>
          <div className={controls.dialogBody}>
            <Dialog.Title>Keyboard shortcuts</Dialog.Title>
            <dl className={css.list}>
              {commands
                .filter((command) => command.keys.length > 0)
                .map(({ id, title, keys }) => (
                  <div key={id}>
                    <dt>{title}</dt>
                    <dd>
                      {keys.map((key) => (
                        <kbd key={key} className={controls.kbd}>
                          {key}
                        </kbd>
                      ))}
                    </dd>
                  </div>
                ))}
              {IN_PLACES.map(({ where, keys, does }) => (
                <div key={where + keys}>
                  <dt>
                    {where}: {does}
                  </dt>
                  <dd>
                    <kbd className={controls.kbd}>{keys}</kbd>
                  </dd>
                </div>
              ))}
            </dl>
            <div className={controls.dialogActions}>
              <Dialog.Close className={controls.button}>Close</Dialog.Close>
            </div>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
