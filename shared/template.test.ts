import { describe, expect, test } from 'vitest';
import { LanyardError } from './errors.ts';
import type { JobSpec } from './job.ts';
import { splitTasks } from './tasks.ts';
import { parseMatrixText, type Template, templateSchema, templateView } from './template.ts';
import { renderDescription, renderTemplate } from './template-render.ts';

function template(parts: Record<string, unknown>): Template {
  return templateSchema.parse({ name: 'a template', fields: [], job: { command: 'true' }, ...parts });
}

function issuesOf(parts: Record<string, unknown>): string[] {
  const result = templateSchema.safeParse({ name: 'a template', fields: [], job: { command: 'true' }, ...parts });
  return result.error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ?? [];
}

/** Of a template that makes one job. */
function jobOf(...given: Parameters<typeof renderTemplate>): JobSpec {
  const rendered = renderTemplate(...given);
  if (!('job' in rendered)) throw new Error('it makes several jobs');
  return rendered.job;
}

function errorOf(work: () => unknown): LanyardError {
  try {
    work();
  } catch (error) {
    if (error instanceof LanyardError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

const scene = { type: 'file', name: 'scene', label: 'Scene', help: 'The scene to render.' };
const frames = { type: 'frames', name: 'frames', label: 'Frames', default: '1-10' };
const size = { type: 'number', name: 'size', label: 'Size', default: 64, min: 1, max: 512 };

describe('a template is refused when what it says does not fit together', () => {
  test.each([
    [{ fields: [size, size] }, 'fields.1.name: there are two fields "size"'],
    [{ fields: [{ ...size, default: 900 }] }, 'fields.0.default: expected 512 or less'],
    [{ fields: [{ ...frames, default: '9-1' }] }, 'fields.0.default: "9-1" runs backwards; expected the smaller frame first'],
    [{ presets: [{ name: 'big', label: 'Big', values: { sise: 3 } }] }, 'presets.0.values.sise: there is no such field'],
    [{ fields: [size], presets: [{ name: 'big', label: 'Big', values: { size: 0.5 } }] }, 'presets.0.values.size: expected a whole number'],
    [{ job: { command: 'true', memory: 3 } }, 'job.memory: a job has no such field'],
    [{ job: {} }, 'job: the job has no command'],
    [{ job: { command: ['render', '{{scene}}'] } }, 'job.command.1: {{scene}}: there is no such field'],
    [{ fields: [size], job: { command: '{{size.first}}' } }, 'job.command: {{size.first}}: a field of the type number has no such part'],
    [{ fields: [size], job: { command: [{ when: 'sice', use: 'x' }] } }, 'job.command.0.when: expected the name of a field, or NAME=VALUE'],
  ])('%#', (parts, sentence) => {
    expect(issuesOf(parts)).toContain(sentence);
  });

  test('fields cannot be called as what every object has', () => {
    expect(issuesOf({ fields: [{ ...size, name: '__proto__' }] })).toHaveLength(1);
  });
});

describe('values', () => {
  const render = template({ fields: [scene, frames, size], job: { command: ['render', '{{scene}}', '{{size}}'] } });

  test('defaults, then the preset, then what was given', () => {
    const withPreset = template({
      fields: [scene, size],
      presets: [{ name: 'big', label: 'Big', values: { size: 500, scene: 'preset.pov' } }],
      job: { command: ['render', '{{scene}}', '-s{{size}}'] },
    });
    const commandOf = (preset: string | undefined, values: Record<string, unknown>) => jobOf('t', withPreset, { preset, values }).command;
    expect(commandOf(undefined, { scene: 'a.pov' })).toEqual(['render', 'a.pov', '-s64']);
    expect(commandOf('big', {})).toEqual(['render', 'preset.pov', '-s500']);
    expect(commandOf('big', { scene: 'a.pov', size: '7' })).toEqual(['render', 'a.pov', '-s7']);
  });

  test.each([
    [{}, 'scene', 'the template t needs scene (Scene)'],
    [{ scene: '/etc/passwd' }, 'scene', 'expected a path inside the input'],
    [{ scene: '../a.pov' }, 'scene', 'expected a path inside the input'],
    [{ scene: 'a.pov', size: 'large' }, 'size', 'expected a number'],
    [{ scene: 'a.pov', size: 513 }, 'size', 'expected 512 or less'],
    [{ scene: 'a.pov', frames: '1-x' }, 'frames', '"1-x" is not a frame range'],
    [{ scene: 'a.pov', sice: 3 }, 'sice', 'the template t has no field "sice"'],
  ])('an error names the field: %j', (values, field, message) => {
    const error = errorOf(() => renderTemplate('t', render, { values }));
    expect(error).toMatchObject({ code: 'INVALID', field });
    expect(error.message).toContain(message);
  });

  test('an unknown preset is refused, and those there are are named', () => {
    expect(errorOf(() => renderTemplate('t', render, { preset: 'big', values: {} }))).toMatchObject({
      field: 'preset',
      hint: 'it has none',
    });
  });

  test('the JSON Schema says names, forms, defaults and what must be given', () => {
    expect(templateView('t', 'farm', render).schema).toMatchObject({
      type: 'object',
      required: ['scene'],
      additionalProperties: false,
      properties: {
        scene: { type: 'string', title: 'Scene', description: 'The scene to render.' },
        frames: { type: 'string', default: '1-10' },
        size: { type: 'integer', minimum: 1, maximum: 512, default: 64 },
      },
    });
  });

  test('the text of a matrix', () => {
    expect(parseMatrixText('rate=0.1,0.01 name=007,x;fast=true')).toEqual({ rate: [0.1, 0.01], name: ['007', 'x'], fast: [true] });
    expect(parseMatrixText('rate')).toBeUndefined();
  });
});

describe('filling in', () => {
  test('a value alone keeps its type, a list becomes several words, what is empty is left out', () => {
    const made = renderDescription(
      't',
      template({
        fields: [
          { type: 'list', name: 'flags', label: 'Flags' },
          { type: 'number', name: 'ram', label: 'Memory', default: 256 },
          { type: 'boolean', name: 'network', label: 'Network', default: true },
          { type: 'text', name: 'image', label: 'Image', optional: true },
        ],
        job: {
          command: ['run', '{{flags}}', '--ram={{ram}}'],
          image: '{{image}}',
          network: '{{network}}',
          requirements: { ramMb: '{{ram}}' },
        },
      }),
      { values: { flags: '-a,-b' } },
    );
    expect(made).toEqual({ command: ['run', '-a', '-b', '--ram=256'], network: true, requirements: { ramMb: 256 } });
  });

  test('conditions choose words, lines and whole parts', () => {
    const one = template({
      fields: [
        { type: 'text', name: 'engine', label: 'Engine', optional: true },
        { ...frames, default: undefined, optional: true },
      ],
      job: {
        command: ['render', { when: 'engine', use: ['-E', '{{engine}}'] }, { when: 'engine=fast', use: '--quick', else: '--slow' }],
        tasks: { when: 'frames', use: { kind: 'frames', frames: '{{frames}}' }, else: { kind: 'single' } },
      },
    });
    const made = (values: Record<string, string>) => jobOf('t', one, { values });
    expect(made({})).toMatchObject({ command: ['render', '--slow'], tasks: { kind: 'single' } });
    expect(made({ engine: 'fast', frames: '1-3' })).toMatchObject({
      command: ['render', '-E', 'fast', '--quick'],
      tasks: { kind: 'frames', frames: '1-3' },
    });
  });

  test('first and last frame, and the arguments of a matrix', () => {
    const one = template({
      fields: [frames, { type: 'matrix', name: 'over', label: 'Over' }],
      job: {
        command: ['run', '+KFI{{frames.first}}', '+KFF{{frames.last}}', '{{over.arguments}}'],
        tasks: { kind: 'matrix', parameters: '{{over}}' },
      },
    });
    const job = jobOf('t', one, { values: { frames: '5,1-9x2', over: 'rate=1,2 depth=3' } });
    expect(job.command).toEqual(['run', '+KFI1', '+KFF9', '--rate={param.rate}', '--depth={param.depth}']);
    const split = splitTasks(job.tasks);
    expect(typeof split === 'string' ? split : split.count).toBe(2);
  });

  test('a name that is too long is cut', () => {
    const one = template({ fields: [{ type: 'line', name: 'line', label: 'Line' }], job: { name: '{{line}}', command: '{{line}}' } });
    expect(jobOf('t', one, { values: { line: 'x'.repeat(300) } }).name).toHaveLength(200);
  });

  test('a template may make several jobs that wait for each other', () => {
    const one = template({
      fields: [frames],
      job: {
        name: 'film',
        stages: [
          { stage: 'render', command: ['render', '{frame}'], tasks: { kind: 'frames', frames: '{{frames}}' } },
          { stage: 'join', command: 'join {{frames}}', inputsFrom: ['render'] },
        ],
      },
    });
    expect(renderTemplate('t', one, { values: { frames: '1-3,7' } })).toMatchObject({
      submission: { name: 'film', stages: [{ tasks: { frames: '1-3,7' } }, { command: 'join 1-3,7' }] },
    });
    const lost = template({ fields: [], job: { stages: [{ stage: 'a', command: 'true', after: ['b'] }] } });
    expect(errorOf(() => renderTemplate('t', lost, { values: {} })).message).toContain('no stage is called so');
  });
});
