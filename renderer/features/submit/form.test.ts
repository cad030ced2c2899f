import { expect, test } from 'vitest';
import { checkForm, EMPTY_FORM, formOf } from './form.ts';

test('what is not typed is told at its field', () => {
  const { spec, problems } = checkForm(EMPTY_FORM, {});
  expect(spec).toBeNull();
  expect(problems).toEqual({ command: 'Say what each task runs.' });
});

test('each mistake stands at its own field', () => {
  const { problems } = checkForm({ ...EMPTY_FORM, command: 'true', cpu: 'many', ramMb: '-1', priority: '200', timeoutMinutes: '' }, {});
  expect(Object.keys(problems).sort()).toEqual(['cpu', 'priority', 'ramMb', 'timeoutMinutes']);
  const frames = checkForm({ ...EMPTY_FORM, command: 'true', split: 'frames', frames: '9-1' }, {});
  expect(frames.problems.frames).toContain('runs backwards');
  expect(checkForm({ ...EMPTY_FORM, command: 'true', where: 'image' }, {}).problems.image).toContain('Name the image');
});

test('the command is shown as it runs for the first and the last task', () => {
  const form = { ...EMPTY_FORM, command: 'render {frame:4} {index}', split: 'frames' as const, frames: '1-240x2' };
  expect(checkForm(form, {})).toMatchObject({ taskCount: 120, first: 'render 0001 0', last: 'render 0239 119' });
  expect(checkForm({ ...form, split: 'single' }, {})).toMatchObject({ taskCount: 1, last: null });
});

test('what the form does not show of a description is kept', () => {
  const described = {
    name: 'shot',
    command: ['render', 'a b', '{frame}'],
    env: { SEED: '1' },
    tasks: { kind: 'matrix' as const, parameters: { size: [1, 2] } },
    requirements: { cpu: 2, diskMb: 100 },
    image: null,
  };
  const form = formOf(described);
  expect(form).toMatchObject({ command: "render 'a b' {frame}", where: 'host', split: 'described', cpu: '2' });
  const { spec, taskCount } = checkForm(form, described);
  expect(taskCount).toBe(2);
  expect(spec).toMatchObject({ env: { SEED: '1' }, image: null, tasks: described.tasks, requirements: { cpu: 2, diskMb: 100 } });
  expect(checkForm({ ...form, where: 'default' }, described).spec).not.toHaveProperty('image');
});
