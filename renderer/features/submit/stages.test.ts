import { expect, test } from 'vitest';
import { planStages } from '../../../shared/stages.ts';
import { graphOf, readStages, submissionOf } from './stages.ts';

const DESCRIPTION = {
  name: 'shot 44',
  image: null,
  requirements: { cpu: 2 },
  stages: [
    { stage: 'assemble', after: ['render'], inputsFrom: ['render', 'sound'], command: 'ffmpeg', outputs: ['out.mp4'] },
    { stage: 'render', command: 'render {frame}', tasks: { kind: 'frames', frames: '1-8' }, outputs: ['{frame}.png'] },
    { stage: 'sound', command: 'mix', requirements: { cpu: 1 } },
    { stage: 'review', after: ['assemble', 17], command: 'true' },
  ],
};

test('each stage is a form of its own over what they share, after those it waits for', () => {
  const stages = readStages(DESCRIPTION);
  expect(stages.map(({ name }) => name)).toEqual(['render', 'sound', 'assemble', 'review']);
  expect(stages.map(({ form }) => [form.name, form.where, form.cpu])).toEqual([
    ['shot 44: render', 'host', '2'],
    ['shot 44: sound', 'host', '1'],
    ['shot 44: assemble', 'host', '2'],
    ['shot 44: review', 'host', '2'],
  ]);
  const { places, edges } = graphOf(stages);
  expect(places.map(({ id, column }) => [id, column])).toEqual([
    ['render', 0],
    ['sound', 0],
    ['assemble', 1],
    ['review', 2],
  ]);
  expect(edges).toEqual([
    { from: 'render', to: 'assemble', label: 'complete, outputs' },
    { from: 'sound', to: 'assemble', label: 'outputs' },
    { from: 'assemble', to: 'review', label: 'complete' },
  ]);
});

test('what is submitted is what was described, with what was typed and the files', () => {
  const stages = readStages(DESCRIPTION).map((stage) =>
    stage.name === 'render' ? { ...stage, form: { ...stage.form, frames: '1-9' } } : stage,
  );
  const input = 'a'.repeat(64);
  const submission = submissionOf(stages, input);
  expect(submission?.stages.map((stage) => stage.input)).toEqual(Array(4).fill(input));
  const planned = planStages(submission as NonNullable<typeof submission>);
  const [render, , assemble, review] = planned;
  expect(render?.spec.tasks).toMatchObject({ frames: '1-9' });
  expect(assemble?.waits).toMatchObject({ after: ['render'], inputsFrom: ['render', 'sound'] });
  expect(review?.spec.after).toEqual([17]);
  expect(
    submissionOf(
      [{ ...(stages[0] as (typeof stages)[number]), form: { ...(stages[0] as (typeof stages)[number]).form, cpu: 'many' } }],
      undefined,
    ),
  ).toBeNull();
  expect(() => readStages({ stages: [{ stage: 'a', command: 'x', after: ['b'] }] })).toThrow('no stage is called so');
});
