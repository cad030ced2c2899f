import { z } from 'zod';
import { ERROR_STATUS } from '../../shared/errors.ts';
import { jobSpecSchema } from '../../shared/job.ts';
import { EXIT, EXIT_DESCRIPTIONS } from './exit-codes.ts';
import { earlierVariable } from './settings.ts';
import { SETTINGS, type Setting, type SettingsSection } from './settings-table.ts';

/**
 * The tables of docs/reference.md, made from the schemas, so that they cannot say anything else than the program does. A test
 * compares them; `npx vitest run --project unit electron/cli/reference.test.ts -u` writes the file anew.
 */
export function referenceMarkdown(): string {
  return [
    '# Reference',
    'This page is made from the program’s own schemas; the [guide](user-guide.md) explains how to use them.',
    '## Exit codes of `lanyard`',
    table(
      ['Code', 'Meaning'],
      Object.entries(EXIT).map(([name, code]) => [String(code), EXIT_DESCRIPTIONS[name as keyof typeof EXIT]]),
    ),
    '## Fields of `lanyard.json`',
    'The same fields are the body of `POST /api/jobs`. Only `command` must be there; an unknown field is refused. A description with `stages` (see the guide) is the body of `POST /api/submissions`: each stage has a name in `stage` and these fields.',
    table(['Field', 'Form', 'Default', 'Meaning'], jobFields()),
    '## Settings',
    'Every setting can stand on the command line of `lanyard up`, in the environment, or in `settings.json` of the data folder, as `{ "coordinator": { "port": 7420 }, "worker": { "cacheMb": 1024 } }`. The first of these that names it wins. Durations are written like `30s` or `1h30m`, sizes like `512m` or `2g`; plain numbers count in the unit that is given. Switches have a `--no-` form. In `settings.json`, values are JSON numbers in that unit.',
    '### Coordinator',
    settingsTable('coordinator'),
    '### Worker',
    settingsTable('worker'),
    '## Codes of errors',
    'An answer that is no success carries `{ "error": { "code", "message", "field"?, "hint"? } }`.',
    table(
      ['Code', 'HTTP status'],
      Object.entries(ERROR_STATUS).map(([code, status]) => [`\`${code}\``, String(status)]),
    ),
    '',
  ].join('\n\n');
}

/** What the schema does not say of itself. */
const MEANINGS: Readonly<Record<string, string>> = {
  name: 'what people see; `lanyard submit` takes the name of the file, folder or program otherwise',
  env: 'environment variables of the command',
  tasks: 'how the job is split into tasks; see the guide',
  'tasks.kind': '`single`: one task; the other forms have the fields below',
  'tasks.count': 'with `kind: "count"`: that many tasks, `{index}` from 0',
  'tasks.parameters': 'with `kind: "matrix"`: a list of values by name; a task for every combination',
  'tasks.exclude': 'with `kind: "matrix"`: combinations to leave out; every rule names some parameters and their values',
  requirements: 'what one task needs of a node',
  priority: 'more urgent jobs go first',
  maxRetries: 'how often a task that fails by itself is tried again',
  preemptible: 'may be interrupted for more urgent jobs',
  notify: 'when the desktop app notifies the one who submitted it',
};

interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly additionalProperties?: JsonSchema | boolean;
}

/** One row a field: dotted name, form, default, meaning. */
export function jobFields(): string[][] {
  const schema = z.toJSONSchema(jobSpecSchema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  return fieldsOf(schema, '');
}

function fieldsOf(schema: JsonSchema, prefix: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const meaning = field.description ?? MEANINGS[path] ?? '';
    const preset =
      field.default ??
      (prefix === '' ? jobSpecSchema.shape[name as keyof typeof jobSpecSchema.shape].safeParse(undefined).data : undefined);
    const fallback = preset === undefined ? '' : code(JSON.stringify(preset));
    const variants = field.oneOf ?? (field.anyOf ?? []).filter((variant) => variant.properties !== undefined);
    const row = [code(path), formOf(field), path === 'requirements' ? '' : fallback, meaning];
    return [row, ...fieldsOf(mergedVariants(variants, field), `${path}.`)];
  });
}

/** The fields of all forms of an object, each once; `kind` with the values of all. */
function mergedVariants(variants: readonly JsonSchema[], field: JsonSchema): JsonSchema {
  if (variants.length === 0) return field;
  const kinds = variants.map((variant) => variant.properties?.kind?.const);
  const properties = Object.assign({}, ...variants.map((variant) => variant.properties)) as Record<string, JsonSchema>;
  return { properties: { ...properties, kind: { enum: kinds } } };
}

function formOf(field: JsonSchema): string {
  if (field.enum !== undefined) return field.enum.map((value) => code(JSON.stringify(value))).join(', ');
  const variants = field.anyOf ?? field.oneOf;
  if (variants !== undefined) return [...new Set(variants.map(formOf))].join(' or ');
  switch (field.type) {
    case 'array':
      return `list of ${formOf(field.items ?? {})}`;
    case 'object':
      return typeof field.additionalProperties === 'object' ? `${formOf(field.additionalProperties)} by name` : 'object';
    case 'integer':
      return `whole number${rangeOf(field)}`;
    case 'number':
      return `number${rangeOf(field)}`;
    case 'boolean':
      return '`true` or `false`';
    case 'string':
      return 'text';
    case 'null':
      return '`null`';
    default:
      return 'number of a job';
  }
}

function rangeOf({ minimum, maximum }: JsonSchema): string {
  const least = minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const most = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (least !== undefined && most !== undefined) return `, ${least} to ${most}`;
  return least === undefined ? '' : `, from ${least}`;
}

function settingsTable(section: SettingsSection): string {
  return table(
    ['`settings.json`', 'Command line', 'Environment', 'Default', 'Meaning'],
    SETTINGS.filter((setting) => setting.section === section).map((setting) => {
      const earlier = earlierVariable(setting);
      const variables = [setting.variable, ...(earlier === undefined ? [] : [earlier])].map(code).join(', ');
      return [code(setting.key), code(`--${setting.flag}`), variables, defaultOf(setting), setting.description];
    }),
  );
}

function defaultOf({ fallback }: Setting): string {
  if (fallback === undefined || fallback === '') return '';
  return typeof fallback === 'object' ? '' : code(String(fallback));
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replace(/\n/g, ' ')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
