import { basename, extname, join, resolve } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import { type Template, type TemplateField, type TemplateView, templateIdSchema } from '../../shared/template.ts';
import { renderDescription } from '../../shared/template-render.ts';
import { openTemplates, readTemplateFile } from '../files/templates.ts';
import type { Context, Handler } from './context.ts';
import { defaultDataFolder } from './data-folder.ts';
import { EXIT } from './exit-codes.ts';
import { plain } from './text.ts';

export interface TemplateFlags {
  readonly template?: string;
  readonly preset?: string;
  readonly set?: readonly string[];
}

/** Lists the templates, or shows the fields of one. */
export const templates: Handler = async (context, [id]) => {
  const { terminal } = context;
  if (id !== undefined) {
    const found = await findTemplate(context, id);
    if (context.options.json === true) terminal.json(found);
    else showTemplate(context, found);
    return EXIT.ok;
  }
  const client = await context.connect();
  const answer = await client.call('listTemplates', { signal: context.signal });
  const own = await ownTemplates(context);
  if (context.options.json === true) {
    terminal.json(answer);
    return EXIT.ok;
  }
  terminal.table(
    [{ title: 'TEMPLATE' }, { title: 'FROM' }, { title: 'NAME', flexible: true }, { title: 'NEEDS', flexible: true }],
    // One of this machine goes before one of the same name; the coordinator's own machine has those of the farm.
    merged(answer.templates, own).map((template) => [
      template.id,
      FROM[template.source],
      template.name,
      template.fields
        .filter((field) => field.default === undefined && !field.optional)
        .map(({ name }) => name)
        .join(', '),
    ]),
  );
  return EXIT.ok;
};

const FROM = { farm: 'the farm', 'built-in': 'the program', own: 'this machine' } as const;
type Listed = Omit<TemplateView, 'source'> & { readonly source: keyof typeof FROM };

async function ownTemplates(context: Context): Promise<readonly TemplateView[]> {
  const warn = (_message: string, fields?: Readonly<Record<string, unknown>>) => context.terminal.note(`left out: ${fields?.error}`);
  const found = await openTemplates(ownFolder(context), { debug() {}, info() {}, warn, error() {} }).list();
  return found.filter(({ source }) => source === 'farm');
}

function merged(farm: readonly TemplateView[], own: readonly TemplateView[]): Listed[] {
  const all = new Map<string, Listed>(farm.map((template) => [template.id, template]));
  for (const template of own)
    if (JSON.stringify(all.get(template.id)) !== JSON.stringify(template)) all.set(template.id, { ...template, source: 'own' });
  return [...all.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
}

function ownFolder(context: Context): string {
  const folder = context.options.data === undefined ? defaultDataFolder(context.env) : resolve(context.cwd, context.options.data);
  return join(folder, 'templates');
}

export const addTemplate: Handler = async (context, [file = '']) => {
  const path = resolve(context.cwd, file);
  const template = await mustRead(path, file);
  const id = templateIdSchema.safeParse(basename(path, extname(path)));
  if (!id.success)
    throw new LanyardError({
      code: 'INVALID',
      field: 'FILE',
      message: `a template is called after its file, and ${plain(basename(path))} is no name for one: ${id.error.issues[0]?.message}`,
    });
  const client = await context.connect();
  const answer = await client.call('putTemplate', { params: { template: id.data }, body: template, signal: context.signal });
  if (context.options.json === true) context.terminal.json(answer);
  else context.terminal.line(`template ${id.data} is in the farm`);
  return EXIT.ok;
};

export const removeTemplate: Handler = async (context, [id = '']) => {
  const client = await context.connect();
  const answer = await client.call('removeTemplate', { params: { template: id }, signal: context.signal });
  if (context.options.json === true) context.terminal.json(answer);
  else context.terminal.line(`template ${id} is removed from the farm`);
  return EXIT.ok;
};

/** @returns the job description that the flags ask a template for; undefined when they ask for none */
export async function describeByTemplate(context: Context, flags: TemplateFlags): Promise<Record<string, unknown> | undefined> {
  if (flags.template === undefined) {
    const lost = flags.preset !== undefined ? 'preset' : flags.set !== undefined ? 'set' : undefined;
    if (lost === undefined) return undefined;
    throw new LanyardError({ code: 'INVALID', field: lost, message: `--${lost} needs --template` });
  }
  const values: Record<string, string> = {};
  for (const pair of flags.set ?? []) {
    const at = pair.indexOf('=');
    if (at < 1) throw new LanyardError({ code: 'INVALID', field: 'set', message: `--set is "${plain(pair)}"; expected FIELD=VALUE` });
    values[pair.slice(0, at)] = pair.slice(at + 1);
  }
  const template = await findTemplate(context, flags.template);
  return renderDescription(flags.template, template, { preset: flags.preset, values });
}

/** A path is a file of this machine; a name is looked for in the own data folder, then in the farm. */
async function findTemplate(context: Context, name: string): Promise<Template> {
  if (/[/\\]|\.json$/.test(name)) return mustRead(resolve(context.cwd, name), name);
  if (!templateIdSchema.safeParse(name).success)
    throw new LanyardError({
      code: 'INVALID',
      field: 'template',
      message: `"${plain(name)}" is no name of a template, and no path of a file`,
    });
  const own = await readTemplateFile(join(ownFolder(context), `${name}.json`));
  if (own !== undefined) return own;
  const client = await context.connect();
  return client.call('getTemplate', { params: { template: name }, signal: context.signal });
}

async function mustRead(path: string, given: string): Promise<Template> {
  const template = await readTemplateFile(path);
  if (template === undefined) throw new LanyardError({ code: 'INVALID', field: 'template', message: `there is no file ${plain(given)}` });
  return template;
}

function showTemplate({ terminal }: Context, template: Template): void {
  terminal.line(plain(template.name));
  if (template.description !== '') terminal.line(plain(template.description));
  terminal.line('');
  terminal.table(
    [{ title: 'FIELD' }, { title: 'FORM', flexible: true }, { title: 'DEFAULT', flexible: true }, { title: 'MEANING', flexible: true }],
    template.fields.map((field) => [
      field.name,
      formOf(field),
      defaultOf(field),
      field.help === '' ? field.label : `${field.label}. ${field.help}`,
    ]),
  );
  for (const preset of template.presets) terminal.line(plain(`--preset ${preset.name}: ${preset.label}`));
}

function formOf(field: TemplateField): string {
  switch (field.type) {
    case 'number': {
      const bounds = [field.min === undefined ? '' : `from ${field.min}`, field.max === undefined ? '' : `to ${field.max}`];
      return [field.whole ? 'whole number' : 'number', ...bounds, field.unit].filter((part) => part !== '').join(' ');
    }
    case 'boolean':
      return 'true or false';
    case 'choice':
      return field.options.map(({ value }) => value).join(', ');
    case 'list':
      return 'VALUE,VALUE';
    case 'matrix':
      return 'NAME=VALUE,VALUE …';
    case 'file':
      return 'path in the input';
    case 'line':
      return 'part of a shell line';
    default:
      return field.type;
  }
}

function defaultOf(field: TemplateField): string {
  if (field.default === undefined) return field.optional ? '-' : 'must be given';
  if (field.type === 'matrix')
    return Object.entries(field.default)
      .map(([name, values]) => `${name}=${values.join(',')}`)
      .join(' ');
  return String(field.default);
}
