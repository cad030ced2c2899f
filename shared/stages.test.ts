import { describe, expect, test } from 'vitest';
import type { JobId } from './ids.ts';
import { jobOfStage, planStages, submissionSchema } from './stages.ts';

function plan(...stages: Record<string, unknown>[]) {
  return planStages(submissionSchema.parse({ name: 'shot 12', image: 'blender', stages }));
}

describe('stages of one submission', () => {
  test('come in an order in which each follows those it waits for, with the shared fields under their own', () => {
    const stages = plan(
      { stage: 'assemble', command: 'ffmpeg', after: ['render', 7], inputsFrom: ['render'], image: 'ffmpeg' },
      { stage: 'render', command: 'blender', tasks: { kind: 'frames', frames: '1-3' } },
    );
    expect(stages.map(({ name, spec }) => [name, spec.name, spec.image])).toEqual([
      ['render', 'shot 12: render', 'blender'],
      ['assemble', 'shot 12: assemble', 'ffmpeg'],
    ]);
    const assemble = stages[1] as (typeof stages)[number];
    expect(jobOfStage(assemble, new Map([['render', 12 as JobId]]))).toMatchObject({ after: [7, 12], inputsFrom: [12], afterTasks: [] });
  });

  test('that wait for each other in a circle are refused, and the circle is named', () => {
    const circle = () =>
      plan(
        { stage: 'first', command: 'true' },
        { stage: 'a', command: 'true', after: ['first', 'b'] },
        { stage: 'b', command: 'true', inputsFrom: ['c'] },
        { stage: 'c', command: 'true', afterTasks: ['a'] },
      );
    expect(circle).toThrow('the stages wait for each other in a circle: a waits for b waits for c waits for a');
    expect(() => plan({ stage: 'a', command: 'true', afterAny: ['a'] })).toThrow('a waits for a');
  });

  test('are refused with a name that is unknown or taken, and with the stage that has a wrong field', () => {
    expect(() => plan({ stage: 'a', command: 'true', after: ['b'] })).toThrow('stage "a" waits for "b", and no stage is called so');
    expect(() => plan({ stage: 'a', command: 'true' }, { stage: 'a', command: 'true' })).toThrow('two stages are called "a"');
    expect(() => plan({ stage: 'a', comand: 'true' })).toThrow('stage "a" is not valid');
  });
});
