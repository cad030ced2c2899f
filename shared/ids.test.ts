import { expect, test } from 'vitest';
import { attemptId, isBlobId, isNodeId, type JobId, parseAttemptId, parseTaskId, taskId } from './ids.ts';

const job = 12 as JobId;

test('an id says what it belongs to, and is read back', () => {
  expect(parseTaskId(taskId(job, 0))).toEqual({ job: 12, index: 0 });
  expect(parseAttemptId(attemptId(job, 7, 3))).toEqual({ job: 12, index: 7, number: 3 });
});

test.each(['', '12', '12.', '0.1.1', '12.01.1', '12.1.0', '12.1.1.1', '../1.1', '12.1.1 ', '1e3.1.1'])('%j is no attempt', (text) => {
  expect(parseAttemptId(text)).toBeUndefined();
});

test('a blob and a node have names that are safe as file names', () => {
  expect(isBlobId('a'.repeat(64))).toBe(true);
  for (const bad of ['A'.repeat(64), 'a'.repeat(63), `../${'a'.repeat(61)}`, '']) expect(isBlobId(bad)).toBe(false);
  expect(isNodeId('node-1.lan')).toBe(true);
  for (const bad of ['.hidden', '../x', 'a/b', '', 'a'.repeat(129), 'a\n']) expect(isNodeId(bad)).toBe(false);
});
