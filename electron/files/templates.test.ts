import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JobSpec } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import { planStages } from '../../shared/stages.ts';
import { splitTasks } from '../../shared/tasks.ts';
import { templateSchema } from '../../shared/template.ts';
import { type Rendered, renderTemplate } from '../../shared/template-render.ts';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import { BUILT_IN_TEMPLATES } from './built-in-templates.ts';
import { openTemplates } from './templates.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const OWN = templateSchema.parse({ name: 'ours', fields: [], job: { command: 'true' } });

async function opened() {
  const folder = await temporaryFolder();
  return { folder, templates: openTemplates(join(folder, 'templates'), silentLogger) };
}

describe('templates of a farm', () => {
  test('those of the program are there, and one of the farm goes before one of the same name until it is removed', async () => {
    const { templates } = await opened();
    expect((await templates.list()).map(({ id }) => id)).toEqual(Object.keys(BUILT_IN_TEMPLATES).sort());
    await templates.put('povray', OWN);
    expect(await templates.get('povray')).toMatchObject({ source: 'farm', name: 'ours' });
    await templates.remove('povray');
    expect(await templates.get('povray')).toMatchObject({ source: 'built-in', name: 'POV-Ray animation' });
    await expect(templates.remove('povray')).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(templates.remove('pov')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(templates.get('pov')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a file dropped into the folder counts at once; one that is no template is left out and says why when it is asked for', async () => {
    const { folder, templates } = await opened();
    await mkdir(join(folder, 'templates'));
    await writeFile(join(folder, 'templates/mine.json'), JSON.stringify(OWN));
    await writeFile(join(folder, 'templates/broken.json'), '{');
    await writeFile(join(folder, 'templates/Odd name.json'), JSON.stringify(OWN));
    await writeFile(join(folder, 'templates/huge.json'), JSON.stringify({ ...OWN, description: ' '.repeat(LIMITS.templateBytes) }));
    const own = (await templates.list()).filter(({ source }) => source === 'farm');
    expect(own.map(({ id }) => id)).toEqual(['mine']);
    await expect(templates.get('broken')).rejects.toMatchObject({ code: 'INVALID' });
    await expect(templates.get('huge')).rejects.toMatchObject({ code: 'INVALID' });
  });

  test('nothing but the template is left in the folder', async () => {
    const { folder, templates } = await opened();
    await Promise.all([templates.put('one', OWN), templates.put('two', OWN), templates.put('one', OWN)]);
    expect((await readdir(join(folder, 'templates'))).sort()).toEqual(['one.json', 'two.json']);
  });
});

function specsOf(rendered: Rendered): readonly JobSpec[] {
  return 'job' in rendered ? [rendered.job] : planStages(rendered.submission).map(({ spec }) => spec);
}

/** The least that each template of the program must be given. */
const LEAST: Readonly<Record<string, Record<string, string>>> = {
  blender: { scene: 'scenes/shot.blend' },
  command: { command: 'echo {index}' },
  ffmpeg: { source: 'film.mov', durationS: '3600' },
  povray: { scene: 'scene.pov' },
  'python-sweep': { parameters: 'rate=0.1,0.01 depth=2,4' },
};

describe('templates of the program', () => {
  test.each(Object.keys(BUILT_IN_TEMPLATES))('%s makes a job from the least it needs, and from every preset', (id) => {
    const template = templateSchema.parse(BUILT_IN_TEMPLATES[id]);
    for (const preset of [undefined, ...template.presets.map(({ name }) => name)]) {
      const rendered = renderTemplate(id, template, { preset, values: LEAST[id] ?? {} });
      for (const { tasks } of specsOf(rendered)) expect(typeof splitTasks(tasks)).toBe('object');
      expect(JSON.stringify(rendered)).not.toContain('{{');
    }
  });

  test('an hour of video in minutes is sixty tasks, and so is one that is half a second shorter', () => {
    const template = templateSchema.parse(BUILT_IN_TEMPLATES.ffmpeg);
    const tasks = (durationS: string) => {
      const [transcode] = specsOf(renderTemplate('t', template, { values: { source: 'a.mov', durationS } }));
      const split = splitTasks(transcode?.tasks ?? { kind: 'single' });
      if (typeof split === 'string') throw new Error(split);
      return Array.from({ length: split.count }, (_, index) => split.parameters(index).frame as number);
    };
    expect(tasks('3600')).toHaveLength(60);
    expect(tasks('120')).toEqual([1, 61]);
    expect(tasks('121')).toEqual([1, 61, 121]);
  });
});

test.skipIf(process.platform === 'win32')('in a shell line every value is one word, whatever it holds', () => {
  const template = templateSchema.parse({
    name: 'print',
    fields: [{ type: 'list', name: 'words', label: 'Words' }],
    job: { command: "printf '%s\\n' {{words}} end" },
  });
  const word = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }).filter((text) => !/[\0\n]/.test(text) && text.isWellFormed());
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), (words) => {
      const [job] = specsOf(renderTemplate('print', template, { values: { words } }));
      const printed = execFileSync('/bin/sh', ['-c', job?.command as string], { encoding: 'utf8' });
      expect(printed).toBe([...words, 'end', ''].join('\n'));
    }),
    { numRuns: 40 },
  );
});
