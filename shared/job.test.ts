import { expect, test } from 'vitest';
import { invalid } from './errors.ts';
import { isTerminal, jobSpecSchema, TASK_STATES, TRANSITIONS } from './job.ts';

test('only a command is needed; everything else has a default', () => {
  const spec = jobSpecSchema.parse({ command: 'true' });
  expect(spec).toMatchObject({
    name: 'untitled',
    priority: 50,
    timeoutMs: 3_600_000,
    maxRetries: 3,
    network: false,
    tasks: { kind: 'single' },
  });
  expect(spec.requirements).toMatchObject({ cpu: 1, ramMb: 512, gpus: 0, labels: [], limits: {} });
});

test('what is wrong is named by its field', () => {
  const result = jobSpecSchema.safeParse({ command: 'true', requirements: { cpu: -1 }, color: 'red' });
  expect(result.success).toBe(false);
  if (result.success) return;
  const error = invalid(result.error, 'the job').toValue();
  expect(error).toMatchObject({ code: 'INVALID', field: 'requirements.cpu' });
  expect(error.message).toContain('color');
});

test.each(TASK_STATES)('%s is terminal when the table lets nothing follow it', (state) => {
  expect(isTerminal(state)).toBe(TRANSITIONS[state].length === 0);
});
