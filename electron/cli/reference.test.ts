import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { jobSpecSchema } from '../../shared/job.ts';
import { createProgram } from './program.ts';
import { jobFields, referenceMarkdown } from './reference.ts';

const DOCS = join(import.meta.dirname, '../../docs');

test('docs/reference.md says what the schemas say', async () => {
  await expect(referenceMarkdown()).toMatchFileSnapshot(join(DOCS, 'reference.md'));
});

test('every field of a job is there, with a meaning', () => {
  const fields = jobFields();
  expect(fields.map(([name]) => name)).toEqual(expect.arrayContaining(Object.keys(jobSpecSchema.shape).map((name) => `\`${name}\``)));
  expect(fields.filter(([, , , meaning]) => meaning === '')).toEqual([]);
});

test('the guide names every command, and only commands and options that exist', async () => {
  const guide = await readFile(join(DOCS, 'user-guide.md'), 'utf8');
  const program = createProgram('0.0.0', async () => undefined);
  const used = [...guide.matchAll(/\blanyard ((?:--[a-z]+ \S+ )*)([a-z][a-z-]*)([^\n`|#]*)/g)].map(([, , command, rest]) => ({
    command,
    rest: rest ?? '',
  }));
  for (const { command, rest } of used) {
    const known = program.commands.find((one) => one.name() === command);
    expect(known, `lanyard ${command}`).toBeDefined();
    const own = rest.split(' -- ')[0] ?? '';
    const flags = [...program.options, ...(known?.options ?? []), ...(known?.commands ?? []).flatMap(({ options }) => options)].map(
      (option) => option.long,
    );
    for (const [flag] of own.matchAll(/(?<=\s)--[a-z][a-z-]*/g)) expect(flags, `lanyard ${command}${rest}`).toContain(flag);
  }
  const named = new Set(used.map(({ command }) => command));
  expect(program.commands.map((command) => command.name()).filter((name) => !named.has(name))).toEqual([]);
});
