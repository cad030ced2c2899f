import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, LanyardError } from '../../shared/errors.ts';
import { type DesktopSettings, desktopSettingsSchema, ownerSettingsSchema, type WorkerSettings } from '../../shared/settings.ts';
import { readSettingsFile, resolveSettings, SETTINGS_FILE, type Settings } from '../cli/settings.ts';

/** The settings of this machine, in the file that the command line reads too; the section `desktop` is this app's own. */
export interface AppSettings {
  /** What the owner changes is in force at once; the rest is as it was at the start, and taken anew when the app starts again. */
  readonly node: Settings;
  readonly desktop: DesktopSettings;
  /** @throws LanyardError INVALID when a setting is not valid or the file cannot be written; then nothing is changed */
  change(part: Readonly<Record<string, unknown>>): Promise<DesktopSettings>;
  /** @throws LanyardError as `change` */
  changeOwner(part: Readonly<Record<string, unknown>>): Promise<WorkerSettings>;
  onChange(listener: (settings: DesktopSettings) => void): void;
}

/** @throws LanyardError INVALID naming the setting, the value and what was expected */
export async function openSettings(dataFolder: string): Promise<AppSettings> {
  const path = join(dataFolder, SETTINGS_FILE);
  const listeners: ((settings: DesktopSettings) => void)[] = [];
  const file = await readSettingsFile(dataFolder);
  let node = resolveSettings({ flags: {}, environment: process.env, file });
  let desktop = parseDesktop(path, sections(file?.text));
  let saving = Promise.resolve();
  /** One change after the other; `check` throws for what is not valid, and then nothing is written. */
  const save = async (
    name: 'desktop' | 'worker',
    part: Readonly<Record<string, unknown>>,
    check: (content: Record<string, unknown>) => void,
  ) => {
    const saved = saving.then(async () => {
      // Somebody may have edited the other sections meanwhile.
      const content = sections((await readSettingsFile(dataFolder))?.text);
      const next = { ...content, [name]: { ...(content[name] as object | undefined), ...part } };
      check(next);
      await writeWhole(path, textOf(next));
    });
    saving = saved.catch(() => {});
    await saved;
  };
  return {
    get node() {
      return node;
    },
    get desktop() {
      return desktop;
    },
    async change(part) {
      let next = desktop;
      await save('desktop', part, (content) => {
        next = parseDesktop(path, content);
      });
      desktop = next;
      for (const listener of listeners) listener(desktop);
      return desktop;
    },
    async changeOwner(part) {
      const parsed = ownerSettingsSchema.partial().strict().safeParse(part);
      if (!parsed.success) throw invalid(parsed.error, 'the settings');
      await save('worker', part, (content) => void resolveSettings({ flags: {}, environment: {}, file: { path, text: textOf(content) } }));
      node = { ...node, worker: { ...node.worker, ...(parsed.data as Partial<WorkerSettings>) } };
      return node.worker;
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

function sections(text: string | undefined): Record<string, unknown> {
  return text === undefined ? {} : (JSON.parse(text) as Record<string, unknown>);
}

function parseDesktop(path: string, content: Record<string, unknown>): DesktopSettings {
  const parsed = desktopSettingsSchema.safeParse(content.desktop ?? {});
  if (!parsed.success) throw invalid(parsed.error, `${path}: desktop`);
  return parsed.data;
}

function textOf(content: Record<string, unknown>): string {
  return `${JSON.stringify(content, null, 2)}\n`;
}

async function writeWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.new`;
  try {
    await writeFile(beside, text, { flush: true, mode: 0o600 });
    await rename(beside, path);
  } catch (cause) {
    throw new LanyardError(
      { code: 'INVALID', message: `${path} cannot be written (${(cause as NodeJS.ErrnoException).code}).` },
      { cause },
    );
  }
}

/** Kept for `collect diagnostics`: the file as it is, or null. */
export async function settingsText(dataFolder: string): Promise<string | null> {
  return await readFile(join(dataFolder, SETTINGS_FILE), 'utf8').catch(() => null);
}
