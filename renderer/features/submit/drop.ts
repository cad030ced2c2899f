import { LanyardError } from '../../../shared/errors.ts';
import { LIMITS } from '../../../shared/limits.ts';
import { takeInput } from './draft.ts';
import { type FolderFile, type InputFiles, sourceOf } from './input-files.ts';

/** Takes what was dropped on the window; the submit page shows it. The entries must be asked for before the event is over. */
export function takeDrop(transfer: DataTransfer): void {
  const items = [...transfer.items].filter((item) => item.kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry());
  // What does not lie on a disk has no entry, but is a file all the same.
  const files = items.map((item, index) => (entries[index] === null ? item.getAsFile() : null)).filter((file) => file !== null);
  void takeInput(
    readDropped(
      entries.filter((entry) => entry !== null),
      files,
    ),
  );
}

/** Takes what was chosen in the browser's own dialog. */
export function takeFiles(files: FileList): void {
  const list = [...files].map((file) => ({ path: file.webkitRelativePath === '' ? file.name : file.webkitRelativePath, file }));
  void takeInput(Promise.resolve().then(() => asInput(list)));
}

async function readDropped(entries: readonly FileSystemEntry[], loose: readonly File[]): Promise<InputFiles> {
  const files: FolderFile[] = loose.map((file) => ({ path: file.name, file }));
  for (const entry of entries) await collect(entry, entry.name, files);
  return asInput(files);
}

async function collect(entry: FileSystemEntry, path: string, files: FolderFile[]): Promise<void> {
  if (files.length > LIMITS.zipEntries)
    throw new LanyardError({ code: 'TOO_LARGE', message: `The folder has more than ${LIMITS.zipEntries} files.` });
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    files.push({ path, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A browser gives a part of a folder at a time, and nothing when it is through.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const child of part) await collect(child, `${path}/${child.name}`, files);
  }
}

/** One zip is the input as it is; all else becomes one. A folder that holds everything is the input's root, not a folder in it. */
function asInput(files: readonly FolderFile[]): InputFiles {
  const only = files.length === 1 ? files[0] : undefined;
  if (only?.path.toLowerCase().endsWith('.zip'))
    return { kind: 'zip', name: only.file.name, bytes: only.file.size, source: sourceOf(only.file.name, only.file) };
  if (files.length === 0) throw new LanyardError({ code: 'INVALID', message: 'There are no files in what was dropped.' });
  const top = files[0]?.path.split('/')[0] ?? '';
  const isOneFolder = files.every((file) => file.path.startsWith(`${top}/`));
  return {
    kind: 'folder',
    name: isOneFolder ? top : 'files',
    bytes: files.reduce((sum, { file }) => sum + file.size, 0),
    files: isOneFolder ? files.map(({ path, file }) => ({ path: path.slice(top.length + 1), file })) : files,
  };
}
