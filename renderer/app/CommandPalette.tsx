import { Dialog } from '@base-ui/react/dialog';
import { Search } from 'lucide-react';
import { type KeyboardEvent, useLayoutEffect, useRef, useState } from 'react';
import type { JobView, NodeView } from '../../shared/view.ts';
import { farmStore } from '../store/farm-store.ts';
import { controls } from '../ui/controls.tsx';
import css from './CommandPalette.module.css';
import type { Command } from './commands.ts';
import { go } from './router.ts';

const SHOWN = 12;
/** Jobs looked through for one letter typed: the newest. */
const LOOKED_AT = 5_000;

interface Entry {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly run: () => void;
}

interface PaletteProps {
  readonly open: boolean;
  readonly commands: readonly Command[];
  readonly onClose: () => void;
}

/** Everything by name: commands, jobs and nodes. */
export function CommandPalette({ open, commands, onClose }: PaletteProps) {
  return (
    <Dialog.Root open={open} onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={controls.overlay} />
        <Dialog.Popup className={`${controls.dialog} ${css.palette}`} aria-label="Command palette">
          <PaletteList commands={commands} onClose={onClose} />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function PaletteList({ commands, onClose }: Omit<PaletteProps, 'open'>) {
  const [text, setText] = useState('');
  const field = useRef<HTMLInputElement>(null);
  // At once: whoever opens it by its keys types on without looking.
  useLayoutEffect(() => field.current?.focus(), []);
  const [at, setAt] = useState(0);
  const entries = findEntries(text, commands);
  const chosen = Math.min(at, entries.length - 1);
  const run = (entry: Entry | undefined) => {
    if (entry === undefined) return;
    onClose();
    entry.run();
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setAt((chosen + 1) % entries.length);
    else if (event.key === 'ArrowUp') setAt((chosen - 1 + entries.length) % entries.length);
    else if (event.key === 'Enter') run(entries[chosen]);
    else return;
    event.preventDefault();
  };
  return (
    <>
      <div className={css.search}>
        <Search aria-hidden />
        <input
          ref={field}
          role="combobox"
          aria-label="Command, job or node"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={entries[chosen] === undefined ? undefined : `palette-${entries[chosen].id}`}
          placeholder="Command, job or node…"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setAt(0);
          }}
          onKeyDown={onKey}
        />
      </div>
      <div id="palette-list" className={css.list} role="listbox" aria-label="What was found">
        {entries.map((entry, index) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field; the option is named by aria-activedescendant
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the field
          <div
            key={entry.id}
            id={`palette-${entry.id}`}
            role="option"
            aria-selected={index === chosen}
            className={css.entry}
            onClick={() => run(entry)}
            onMouseMove={() => setAt(index)}
          >
            <span>{entry.title}</span>
            <span className={css.note}>{entry.note}</span>
          </div>
        ))}
      </div>
      {entries.length === 0 && <p className={css.none}>Nothing of that name.</p>}
    </>
  );
}

function findEntries(text: string, commands: readonly Command[]): readonly Entry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (candidate: string) => {
    const name = candidate.toLowerCase();
    return words.every((word) => name.includes(word));
  };
  const found: Entry[] = commands
    .filter((command) => fits(`${command.group} ${command.title}`))
    .map(({ id, title, keys, run }) => ({ id, title, note: keys.join(' then '), run }));
  if (words.length === 0) return found.slice(0, SHOWN);
  const { jobs, jobIds, nodes } = farmStore.getState();
  for (const id of jobIds.slice(0, LOOKED_AT)) {
    if (found.length >= SHOWN) break;
    const job = jobs.get(id) as JobView;
    if (fits(`${job.id} ${job.name} ${job.owner}`))
      found.push({ id: `job-${id}`, title: job.name, note: `job ${id}`, run: () => go({ name: 'job', job: id, task: null }) });
  }
  for (const [node, view] of nodes as ReadonlyMap<string, NodeView>) {
    if (found.length >= SHOWN) break;
    if (fits(view.description.name))
      found.push({ id: `node-${node}`, title: view.description.name, note: 'node', run: () => go({ name: 'node', node }) });
  }
  return found.slice(0, SHOWN);
}
