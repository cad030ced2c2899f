import { z } from 'zod';
import { jobSpecSchema, type TaskPlan, tasksSchema } from './job.ts';
import { LIMITS } from './limits.ts';
import { parseFrames } from './tasks.ts';

/**
 * A template is a job description with fields: typed, with defaults and help, so that a form or a command line can ask for
 * them. It is data and never code. What is between `{{` and `}}` in its `job` is filled in by `template-render.ts`; what is between
 * single braces is a task's parameter and stays.
 */

const identifier = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, 'expected a small letter and then small letters, digits and -, at most 64');
/** What a template is called on the command line; its file is called so too. */
export const templateIdSchema = identifier;

/** Names are also those of keys of JavaScript objects, so `constructor` and the like must not be one. */
const fieldName = z.string().regex(/^[a-z][A-Za-z0-9]{0,39}$/, 'expected a small letter and then letters and digits, at most 40');

const common = {
  name: fieldName,
  label: z.string().min(1).max(80).describe('what stands beside the field'),
  help: z.string().max(500).default('').describe('what the field is for, in a sentence'),
  optional: z.boolean().default(false).describe('may be left empty'),
};
const text = { default: z.string().max(LIMITS.templateTextLength).optional() };

export const templateFieldSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), ...common, ...text }),
  /** A path inside the input. */
  z.strictObject({ type: z.literal('file'), ...common, ...text }),
  /** A part of a shell line, put in as it is; all other kinds are quoted there. */
  z.strictObject({ type: z.literal('line'), ...common, ...text }),
  z.strictObject({
    type: z.literal('number'),
    ...common,
    default: z.number().optional(),
    min: z.number().optional(),
    max: z.number().optional(),
    whole: z.boolean().default(true),
    unit: z.string().max(20).default(''),
  }),
  z.strictObject({ type: z.literal('boolean'), ...common, default: z.boolean().default(false) }),
  z.strictObject({
    type: z.literal('choice'),
    ...common,
    ...text,
    options: z
      .array(z.strictObject({ value: z.string().min(1).max(200), label: z.string().min(1).max(80) }))
      .min(1)
      .max(LIMITS.templateOptions),
  }),
  /** A range of frames: 1-240, 1-240x2, 1,5,9-12. */
  z.strictObject({ type: z.literal('frames'), ...common, ...text }),
  z.strictObject({ type: z.literal('list'), ...common, default: z.array(z.string()).optional() }),
  /** Values by name; a task for every combination. */
  z.strictObject({ type: z.literal('matrix'), ...common, default: z.record(z.string(), z.array(z.unknown())).optional() }),
]);
export type TemplateField = Readonly<z.infer<typeof templateFieldSchema>>;

const valuesSchema = z.record(fieldName, z.unknown());
export type TemplateValues = Readonly<Record<string, unknown>>;

const shape = z.strictObject({
  format: z.literal(1).default(1),
  name: z.string().min(1).max(LIMITS.nameLength),
  description: z.string().max(1_000).default('').describe('what it makes of what, for a person who chooses'),
  fields: z.array(templateFieldSchema).max(LIMITS.templateFields),
  presets: z
    .array(z.strictObject({ name: identifier, label: z.string().min(1).max(80), values: valuesSchema }))
    .max(LIMITS.templatePresets)
    .default([]),
  job: z.record(z.string(), z.unknown()).describe('a job description, or one with stages, with {{field}} in it'),
});

/** A template as a file holds it. */
export const templateSchema = shape.superRefine((template, context) => {
  for (const { path, message } of faults(template)) context.addIssue({ code: 'custom', path: [...path], message });
});
export type Template = Readonly<z.infer<typeof templateSchema>>;

/** Where a template comes from: with the program, or put into this farm. */
export const TEMPLATE_SOURCES = ['built-in', 'farm'] as const;
export const templateViewSchema = shape.extend({
  id: templateIdSchema,
  source: z.enum(TEMPLATE_SOURCES),
  /** JSON Schema of the values, for forms and scripts. */
  schema: z.record(z.string(), z.unknown()),
});
export type TemplateView = Readonly<z.infer<typeof templateViewSchema>>;

export function templateView(id: string, source: TemplateView['source'], template: Template): TemplateView {
  return { ...template, id, source, schema: valuesJsonSchema(template) };
}

/** What a template's values must be; without defaults an absent one stays absent. */
export function valuesSchemaOf({ fields }: Pick<Template, 'fields'>): z.ZodType<Record<string, unknown>> {
  return z.strictObject(
    Object.fromEntries(
      fields.map((field) => {
        const value = valueSchema(field).meta({ title: field.label, ...(field.help === '' ? {} : { description: field.help }) });
        if (field.default !== undefined) return [field.name, value.default(field.default as never)];
        return [field.name, field.optional ? value.optional() : value];
      }),
    ),
  ) as z.ZodType<Record<string, unknown>>;
}

/** The forms of a placeholder: `{{name}}`, or `{{name.part}}` for what follows from a value. */
export const TEMPLATE_PLACEHOLDER = /\{\{([A-Za-z0-9]+)(?:\.([a-z]+))?\}\}/g;
/** What can stand after the dot. */
export const TEMPLATE_PARTS: Readonly<Partial<Record<TemplateField['type'], readonly string[]>>> = {
  frames: ['first', 'last'],
  /** `--name={param.name}`, `name={param.name}` and `-Dname={param.name}` of every parameter. */
  matrix: ['arguments', 'assignments', 'definitions'],
};

function valuesJsonSchema(template: Template): Record<string, unknown> {
  const { $schema: _, ...schema } = z.toJSONSchema(valuesSchemaOf(template), { io: 'input' });
  return schema;
}

function valueSchema(field: TemplateField): z.ZodType {
  const line = z.string().min(1, 'expected some text').max(LIMITS.templateTextLength);
  switch (field.type) {
    case 'text':
    case 'line':
      return line;
    case 'file':
      return line.refine(isInside, 'expected a path inside the input, such as scenes/shot.blend');
    case 'number':
      return numberSchema(field);
    case 'boolean':
      return z.boolean('expected true or false');
    case 'choice':
      return z.enum(field.options.map(({ value }) => value));
    case 'frames':
      return line.superRefine((value, context) => {
        const runs = parseFrames(value);
        if (typeof runs === 'string') context.addIssue({ code: 'custom', message: runs });
      });
    case 'list':
      return z.array(line).min(1, 'expected at least one').max(LIMITS.templateListValues);
    case 'matrix':
      return matrixSchema.shape.parameters.refine((value) => Object.keys(value).length > 0, 'expected at least one NAME=VALUE,VALUE');
  }
}

const matrixSchema = tasksSchema.options[3];

function numberSchema({ min, max, whole }: Extract<TemplateField, { type: 'number' }>): z.ZodType {
  let schema = z.number('expected a number');
  if (whole) schema = schema.int('expected a whole number');
  if (min !== undefined) schema = schema.min(min, `expected ${min} or more`);
  return max === undefined ? schema : schema.max(max, `expected ${max} or less`);
}

function isInside(path: string): boolean {
  return !/^[/\\]|^[A-Za-z]:|\\|\p{Cc}/u.test(path) && !path.split('/').includes('..');
}

interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What is wrong with a template beyond its form: what it says must fit together. */
function faults(template: z.infer<typeof shape>): Fault[] {
  const found: Fault[] = [];
  const names = template.fields.map(({ name }) => name);
  for (const [at, field] of template.fields.entries()) {
    if (names.indexOf(field.name) !== at) found.push({ path: ['fields', at, 'name'], message: `there are two fields "${field.name}"` });
    if (field.default === undefined) continue;
    const result = valueSchema(field).safeParse(field.default);
    if (!result.success) found.push({ path: ['fields', at, 'default'], message: result.error.issues[0]?.message ?? 'does not fit' });
  }
  for (const [at, { values }] of template.presets.entries()) {
    for (const [name, value] of Object.entries(values)) {
      const field = template.fields.find((candidate) => candidate.name === name);
      const problem = field === undefined ? 'there is no such field' : valueSchema(field).safeParse(value).error?.issues[0]?.message;
      if (problem !== undefined) found.push({ path: ['presets', at, 'values', name], message: problem });
    }
  }
  for (const key of Object.keys(template.job))
    if (key !== 'stages' && !Object.hasOwn(jobSpecSchema.shape, key))
      found.push({ path: ['job', key], message: 'a job has no such field' });
  if (template.job.command === undefined && template.job.stages === undefined)
    found.push({ path: ['job'], message: 'the job has no command' });
  return [...found, ...placeholderFaults(template.job, ['job'], template.fields)];
}

function placeholderFaults(node: unknown, path: readonly (string | number)[], fields: readonly TemplateField[]): Fault[] {
  if (typeof node === 'string')
    return [...node.matchAll(TEMPLATE_PLACEHOLDER)].flatMap(([whole, name, part]) => {
      const field = fields.find((candidate) => candidate.name === name);
      if (field === undefined) return [{ path, message: `${whole}: there is no such field` }];
      if (part === undefined || TEMPLATE_PARTS[field.type]?.includes(part)) return [];
      return [{ path, message: `${whole}: a field of the type ${field.type} has no such part` }];
    });
  if (typeof node !== 'object' || node === null) return [];
  const found: Fault[] = Object.entries(node).flatMap(([key, value]) => placeholderFaults(value, [...path, key], fields));
  const when = (node as { when?: unknown }).when;
  if (when !== undefined && !fields.some(({ name }) => typeof when === 'string' && name === when.split('=')[0]))
    found.push({ path: [...path, 'when'], message: 'expected the name of a field, or NAME=VALUE' });
  return found;
}

/** @returns the values of a matrix field as the command line writes them: `rate=0.1,0.2 depth=2,4`; undefined when it is not of that form */
export function parseMatrixText(written: string): Extract<TaskPlan, { kind: 'matrix' }>['parameters'] | undefined {
  const parameters: Record<string, (string | number | boolean)[]> = {};
  for (const part of written.split(/[\s;]+/).filter((piece) => piece !== '')) {
    const at = part.indexOf('=');
    if (at < 1) return undefined;
    parameters[part.slice(0, at)] = part
      .slice(at + 1)
      .split(',')
      .map(parseScalar);
  }
  return parameters;
}

/** Numbers and truth values where the text is exactly how they are written; so `007` stays text. */
export function parseScalar(written: string): string | number | boolean {
  if (written === 'true' || written === 'false') return written === 'true';
  return written !== '' && String(Number(written)) === written && Number.isFinite(Number(written)) ? Number(written) : written;
}
