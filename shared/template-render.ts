import { invalid, LanyardError } from './errors.ts';
import { type JobSpec, jobSpecSchema } from './job.ts';
import { LIMITS } from './limits.ts';
import { planStages, type Submission, submissionSchema } from './stages.ts';
import { parseFrames } from './tasks.ts';
import {
  parseMatrixText,
  TEMPLATE_PLACEHOLDER,
  type Template,
  type TemplateField,
  type TemplateValues,
  valuesSchemaOf,
} from './template.ts';

/** A template and the values of its fields become a job description. */

export interface Filling {
  /** The name of one of the template's presets: its values go over the defaults. */
  readonly preset?: string | undefined;
  /** These go over both. A text stands for what a person would type into the field. */
  readonly values: TemplateValues;
}

/** What a template makes: one job, or several that wait for each other. */
export type Rendered = { readonly job: JobSpec } | { readonly submission: Submission };

/** @throws LanyardError INVALID naming the field, what was given and what was expected */
export function renderTemplate(id: string, template: Template, filling: Filling): Rendered {
  const description = renderDescription(id, template, filling);
  const [schema, key] = description.stages === undefined ? ([jobSpecSchema, 'job'] as const) : ([submissionSchema, 'submission'] as const);
  const result = schema.safeParse(description);
  if (!result.success) throw invalid(result.error, `the job of the template ${id}`);
  if (key === 'submission') planStages(result.data as Submission);
  return { [key]: result.data } as unknown as Rendered;
}

/**
 * The description without the defaults of a job, for a command line that lays its flags over it.
 * @throws LanyardError INVALID naming the field, what was given and what was expected
 */
export function renderDescription(id: string, template: Template, filling: Filling): Record<string, unknown> {
  const values = completeValues(id, template, filling);
  const fields = new Map(template.fields.map((field) => [field.name, { field, value: values[field.name] }]));
  const description = fill(template.job, fields, false) as Record<string, unknown>;
  const { name } = description;
  return typeof name === 'string' && name !== '' ? { ...description, name: name.slice(0, LIMITS.nameLength) } : description;
}

type Fields = ReadonlyMap<string, { readonly field: TemplateField; readonly value: unknown }>;

function completeValues(id: string, template: Template, { preset, values }: Filling): Record<string, unknown> {
  const chosen = template.presets.find(({ name }) => name === preset);
  if (preset !== undefined && chosen === undefined)
    throw new LanyardError({
      code: 'INVALID',
      field: 'preset',
      message: `the template ${id} has no preset "${preset}"`,
      hint: template.presets.length === 0 ? 'it has none' : `it has ${template.presets.map(({ name }) => name).join(', ')}`,
    });
  const given: Record<string, unknown> = { ...chosen?.values };
  for (const [name, value] of Object.entries(values)) {
    const field = template.fields.find((candidate) => candidate.name === name);
    if (field === undefined)
      throw new LanyardError({
        code: 'INVALID',
        field: name,
        message: `the template ${id} has no field "${name}"`,
        hint: `its fields are ${template.fields.map((one) => one.name).join(', ')}`,
      });
    given[name] = typeof value === 'string' ? fromText(field, value) : value;
  }
  const result = valuesSchemaOf(template).safeParse(given);
  if (result.success) return result.data;
  const missing = template.fields.find(({ name }) => name === result.error.issues[0]?.path[0] && given[name] === undefined);
  if (missing === undefined) throw invalid(result.error, `the template ${id}`);
  throw new LanyardError({
    code: 'INVALID',
    field: missing.name,
    message: `the template ${id} needs ${missing.name} (${missing.label})`,
    ...(missing.help === '' ? {} : { hint: missing.help }),
  });
}

/** What a person writes into a field. What is not of the field's form stays a text, and the schema says what is expected. */
function fromText(field: TemplateField, written: string): unknown {
  switch (field.type) {
    case 'number':
      return written.trim() === '' || Number.isNaN(Number(written)) ? written : Number(written);
    case 'boolean':
      return written === 'true' ? true : written === 'false' ? false : written;
    case 'list':
      return written
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
    case 'matrix':
      return parseMatrixText(written) ?? written;
    default:
      return written;
  }
}

/** In place of what is left out: the element of a list, or the key of an object. */
const NOTHING = Symbol('nothing');

/** @param inLine true in a shell line, where values are quoted; the words of a list need no quotes */
function fill(node: unknown, fields: Fields, inLine: boolean): unknown {
  if (typeof node === 'string') return fillText(node, fields, inLine);
  if (Array.isArray(node))
    return node.flatMap((element) => {
      const filled = fill(element, fields, false);
      return filled === NOTHING ? [] : filled;
    });
  if (typeof node !== 'object' || node === null) return node;
  if (isCondition(node)) {
    const branch = holds(node.when, fields) ? node.use : node.else;
    return branch === undefined ? NOTHING : fill(branch, fields, inLine);
  }
  const entries = Object.entries(node).map(([key, value]) => [key, fill(value, fields, key === 'command')]);
  return Object.fromEntries(entries.filter(([, value]) => value !== NOTHING));
}

interface Condition {
  readonly when: string;
  readonly use: unknown;
  readonly else?: unknown;
}

function isCondition(node: object): node is Condition {
  return 'when' in node && 'use' in node;
}

function holds(when: string, fields: Fields): boolean {
  const [name = '', ...rest] = when.split('=');
  const value = fields.get(name)?.value;
  return rest.length === 0 ? value !== undefined && value !== false && value !== 0 : String(value) === rest.join('=');
}

function fillText(written: string, fields: Fields, inLine: boolean): unknown {
  const placeholders = [...written.matchAll(TEMPLATE_PLACEHOLDER)];
  if (!inLine && placeholders.length === 1 && placeholders[0]?.[0] === written) return valueFor(placeholders[0], fields) ?? NOTHING;
  return written.replace(TEMPLATE_PLACEHOLDER, (...match: string[]) => {
    const value = valueFor(match, fields);
    if (value === undefined) return '';
    if (!inLine) return Array.isArray(value) ? value.join(',') : String(value);
    if (fields.get(match[1] as string)?.field.type === 'line') return String(value);
    return (Array.isArray(value) ? value : [value]).map((part) => shellQuoted(String(part))).join(' ');
  });
}

const MATRIX_PREFIXES: Readonly<Record<string, string>> = { arguments: '--', definitions: '-D' };

function valueFor([, name, part]: readonly string[], fields: Fields): unknown {
  const { field, value } = fields.get(name as string) ?? {};
  if (part === undefined || value === undefined) return value;
  if (field?.type === 'matrix') {
    const prefix = MATRIX_PREFIXES[part] ?? '';
    return Object.keys(value as object).map((parameter) => `${prefix}${parameter}={param.${parameter}}`);
  }
  const runs = parseFrames(value as string);
  if (typeof runs === 'string') throw new Error(`${name} was checked, and yet ${runs}`);
  return part === 'first' ? Math.min(...runs.map((run) => run.first)) : Math.max(...runs.map((run) => run.last));
}

/** One word of a POSIX shell's line, whatever it holds. */
function shellQuoted(value: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
