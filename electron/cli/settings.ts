import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import { type CoordinatorSettings, coordinatorSettingsSchema, type WorkerSettings, workerSettingsSchema } from '../../shared/settings.ts';
import { SETTINGS, type Setting, type SettingKind, type SettingsSection } from './settings-table.ts';
import { plain, shorten } from './text.ts';
import { DURATION_FORM, MIB, parseDurationMs, parseSizeBytes, SIZE_FORM } from './units.ts';

export const SETTINGS_FILE = 'settings.json';

export interface SettingSources {
  /** By flag without dashes: what stood on the command line. */
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `<data>/settings.json`, when there is one: `{ "coordinator": { ... }, "worker": { ... } }`. */
  readonly file?: { readonly path: string; readonly text: string } | undefined;
}

export interface Settings {
  readonly coordinator: CoordinatorSettings;
  readonly worker: WorkerSettings;
}

/** Names of the earlier system, which stand behind ours. `plain` is what a number without a unit means there. */
const EARLIER_VARIABLES: Readonly<Record<string, { readonly variable: string; readonly plain?: number }>> = {
  'worker.maxParallel': { variable: 'MAX_PARALLEL_JOBS' },
  'worker.dockerTimeoutMs': { variable: 'DOCKER_TIMEOUT' },
  'worker.dockerMemoryMb': { variable: 'DOCKER_MEMORY_LIMIT', plain: 1 },
  'worker.dockerCpus': { variable: 'DOCKER_CPU_LIMIT' },
};

/** @returns the earlier system's name of a setting, if it had one */
export function earlierVariable(setting: Setting): string | undefined {
  return EARLIER_VARIABLES[`${setting.section}.${setting.key}`]?.variable;
}

/**
 * Lays the command line over the environment over `settings.json` over the defaults, setting by setting.
 * @throws LanyardError INVALID naming the source, the setting, the value and what was expected
 */
export function resolveSettings(sources: SettingSources): Settings {
  const fromFile = readSettings(sources.file);
  const resolved: Record<SettingsSection, Record<string, unknown>> = { coordinator: {}, worker: {} };
  for (const setting of SETTINGS) {
    const found = fromFlag(setting, sources) ?? fromEnvironment(setting, sources) ?? fromFile(setting);
    if (found === undefined) continue;
    const result = setting.schema.safeParse(found.value);
    if (!result.success) throw notValid(setting, found, result.error.issues[0]?.message ?? 'not valid');
    resolved[setting.section][setting.key] = result.data;
  }
  return { coordinator: coordinatorSettingsSchema.parse(resolved.coordinator), worker: workerSettingsSchema.parse(resolved.worker) };
}

/** @returns the settings file of a data folder, for `SettingSources.file` */
export async function readSettingsFile(folder: string): Promise<SettingSources['file']> {
  const path = join(folder, SETTINGS_FILE);
  try {
    return { path, text: await readFile(path, 'utf8') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LanyardError(
      { code: 'INVALID', message: `cannot read ${path} (${(error as NodeJS.ErrnoException).code})` },
      { cause: error },
    );
  }
}

/** A value on its way, with the words for where it stood and how it was written there. */
interface Found {
  readonly source: string;
  readonly written: string;
  readonly value: unknown;
}

function fromFlag(setting: Setting, { flags }: SettingSources): Found | undefined {
  const given = flags[setting.flag];
  if (given === undefined) return undefined;
  const source = `command line, --${given === false ? 'no-' : ''}${setting.flag}`;
  if (typeof given === 'boolean') return { source, written: String(given), value: given };
  return parsed(setting, source, given);
}

function fromEnvironment(setting: Setting, { environment }: SettingSources): Found | undefined {
  const earlier = EARLIER_VARIABLES[`${setting.section}.${setting.key}`];
  const own = environment[setting.variable];
  if (own !== undefined && own !== '') return parsed(setting, `environment, ${setting.variable}`, own);
  const older = earlier === undefined ? undefined : environment[earlier.variable];
  if (earlier === undefined || older === undefined || older === '') return undefined;
  return parsed(setting, `environment, ${earlier.variable}`, older, earlier.plain);
}

function readSettings(file: SettingSources['file']): (setting: Setting) => Found | undefined {
  if (file === undefined) return () => undefined;
  let content: unknown;
  try {
    content = JSON.parse(file.text);
  } catch (error) {
    throw new LanyardError({ code: 'INVALID', message: `${file.path} is not JSON: ${(error as Error).message}` }, { cause: error });
  }
  const sections = asObject(content, file.path, 'the file');
  for (const name of Object.keys(sections)) {
    // The desktop app's own section; it checks it itself.
    if (name === 'desktop') continue;
    if (name !== 'coordinator' && name !== 'worker')
      throw new LanyardError({
        code: 'INVALID',
        message: `${file.path}: "${plain(name)}" is unknown; expected "coordinator", "worker" and "desktop"`,
        field: name,
      });
    for (const key of Object.keys(asObject(sections[name], file.path, name)))
      if (!SETTINGS.some((setting) => setting.section === name && setting.key === key))
        throw new LanyardError({
          code: 'INVALID',
          message: `${file.path}: ${name}.${plain(key)} is no setting`,
          field: `${name}.${key}`,
          hint: 'docs/user-guide.md lists all settings',
        });
  }
  return (setting) => {
    const value = (sections[setting.section] as Record<string, unknown> | undefined)?.[setting.key];
    if (value === undefined) return undefined;
    return { source: file.path, written: JSON.stringify(value), value };
  };
}

function asObject(value: unknown, path: string, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new LanyardError({ code: 'INVALID', message: `${path}: ${what} is ${JSON.stringify(value)}; expected an object in braces` });
}

/** @param plainUnit what a number without a unit counts, where it differs from the setting's own unit */
function parsed(setting: Setting, source: string, given: string | readonly string[], plainUnit?: number): Found {
  const written = `"${typeof given === 'string' ? given : given.join(',')}"`;
  const value = PARSERS[setting.kind](given, plainUnit);
  if (value === undefined) throw notValid(setting, { source, written }, `expected ${FORMS[setting.kind]}`);
  // How a setting that can be switched off is written in text.
  if ((value === 'none' || value === 'null') && setting.schema.safeParse(null).success) return { source, written, value: null };
  return { source, written, value };
}

type Parser = (given: string | readonly string[], plainUnit?: number) => unknown;

const PARSERS: Readonly<Record<SettingKind, Parser>> = {
  text: (given) => String(given),
  number: (given) => (String(given).trim() === '' || Number.isNaN(Number(given)) ? undefined : Number(given)),
  switch: (given) => SWITCHES[String(given).trim().toLowerCase()],
  duration: (given) => parseDurationMs(String(given), 1),
  mebibytes(given, plainUnit = MIB) {
    const bytes = parseSizeBytes(String(given), plainUnit);
    return bytes === undefined ? undefined : Math.floor(bytes / MIB);
  },
  bytes: (given) => parseSizeBytes(String(given), 1),
  list: (given) => asList(given),
  map(given) {
    // `fast` alone is a label without a value.
    const pairs = asList(given).map((pair) => [pair.replace(/=.*$/s, ''), pair.includes('=') ? pair.slice(pair.indexOf('=') + 1) : '']);
    return pairs.some(([name]) => name === '') ? undefined : Object.fromEntries(pairs);
  },
};

const FORMS: Readonly<Record<SettingKind, string>> = {
  text: 'text',
  number: 'a number',
  switch: 'true or false',
  duration: `${DURATION_FORM} (a plain number counts milliseconds)`,
  mebibytes: SIZE_FORM,
  bytes: SIZE_FORM,
  list: 'values separated by commas',
  map: 'name=value, separated by commas',
};

const SWITCHES: Readonly<Record<string, boolean>> = {
  true: true,
  1: true,
  yes: true,
  on: true,
  false: false,
  0: false,
  no: false,
  off: false,
};

function asList(given: string | readonly string[]): string[] {
  const parts = typeof given === 'string' ? given.split(',') : given;
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function notValid(setting: Setting, { source, written }: Pick<Found, 'source' | 'written'>, expected: string): LanyardError {
  return new LanyardError({
    code: 'INVALID',
    message: `${source}: ${setting.section}.${setting.key} is ${shorten(plain(written), 200)}; ${expected}`,
    field: `${setting.section}.${setting.key}`,
    hint: setting.description,
  });
}
