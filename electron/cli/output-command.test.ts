import { join } from 'node:path';
import { expect, test } from 'vitest';
import { placeOutputs } from './output-command.ts';

const output = (task: string, path: string) => ({ task, path, bytes: 1, blob: '0'.repeat(64) });

test('outputs keep their paths', () => {
  const placed = placeOutputs([output('3.0', 'frames/1.png'), output('3.1', 'frames/2.png')], '/out');
  expect(placed.map(({ path }) => path)).toEqual([join('/out', 'frames', '1.png'), join('/out', 'frames', '2.png')]);
});

test('where two tasks made a file of one name, every task has a folder', () => {
  const placed = placeOutputs([output('3.0', 'result.txt'), output('3.1', 'Result.txt')], '/out');
  expect(placed.map(({ path }) => path)).toEqual([join('/out', 'task-0', 'result.txt'), join('/out', 'task-1', 'Result.txt')]);
});

test.each(['../x', '/etc/passwd', 'a/../../x', 'C:\\x', 'a\\..\\x', 'C:x', '', 'a//b', './a', 'a\0b'])(
  'the path "%s" is refused',
  (path) => {
    expect(() => placeOutputs([output('3.0', path)], '/out')).toThrow(/could leave the folder/);
  },
);
