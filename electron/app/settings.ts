import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, LanyardError } from '../../shared/errors.ts';
import { type DesktopSettings, desktopSettingsSchema } from '../../shared/settings.ts';
import { readSettingsFile, resolveSettings, SETTINGS_FILE, type Settings } from '../cli/settings.ts';

/** The settings of this machine, in the file that the command line reads too; the section `desktop` is this app's own. */
export interface AppSettings {
  /** As they were at the start: the coordinator and the worker take new ones when the app starts again. */
  readonly node: Settings;
  readonly desktop: DesktopSettings;
  /** @throws LanyardError INVALID when a setting is not valid or the file cannot be written; then nothing is changed */
  change(part: Readonly<Record<string, unknown>>): Promise<DesktopSettings>;
  onChange(listener: (settings: DesktopSettings) => void): void;
}

/** @throws LanyardError INVALID naming the setting, the value and what was expected */
export async function openSettings(dataFolder: string): Promise<AppSettings> {
  const path = join(dataFolder, SETTINGS_FILE);
  const listeners: ((settings: DesktopSettings) => void)[] = [];
  const file = await readSettingsFile(dataFolder);
  const node = resolveSettings({ flags: {}, environment: process.env, file });
  let desktop = parseDesktop(path, sections(file?.text));
  let saving = Promise.resolve();
  const save = async (part: Readonly<Record<string, unknown>>) => {
    // Somebody may have edited the other sections meanwhile.
    const content = sections((await readSettingsFile(dataFolder))?.text);
    const section = { ...(content.desktop as object | undefined), ...part };
    const next = parseDesktop(path, { desktop: section });
    await writeWhole(path, `${JSON.stringify({ ...content, desktop: section }, null, 2)}\n`);
    desktop = next;
    for (const listener of listeners) listener(next);
  };
  return {
    node,
    get desktop() {
      return desktop;
    },
    async change(part) {
      const saved = saving.then(() => save(part));
      saving = saved.catch(() => {});
      await saved;
      return desktop;
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
