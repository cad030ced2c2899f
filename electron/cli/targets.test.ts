import { expect, test } from 'vitest';
import type { NodeView } from '../../shared/view.ts';
import { chooseNode, parseTarget } from './targets.ts';

const node = (id: string, name: string) => ({ description: { id, name } }) as NodeView;
const NODES = [
  node('node-aa11', 'north'),
  node('node-aa22', 'south'),
  node('node-bb33', 'twin'),
  node('node-bb44', 'twin'),
  node('twin', 'odd'),
];

test('jobs, tasks and attempts are told apart', () => {
  expect(parseTarget('12', 1)).toEqual({ job: 12, index: undefined, number: undefined });
  expect(parseTarget('12.0', 2)).toEqual({ job: 12, index: 0, number: undefined });
  expect(parseTarget('12.0.1', 3)).toEqual({ job: 12, index: 0, number: 1 });
});

test.each([
  ['12.0', 1, /"12\.0" is not a job; expected 12$/],
  ['12.0.1', 2, /not a job or a task/],
  ['0', 3, /expected 12, 12\.0 or 12\.0\.1/],
  ['12.0.0', 3, /not a job, a task or an attempt/],
  ['x', 3, /not a job/],
  ['', 1, /not a job/],
] as const)('"%s" with at most %i parts is refused', (text, parts, message) => {
  expect(() => parseTarget(text, parts)).toThrow(message);
});

test('a node is found by id, by name, or by the beginning of its id', () => {
  expect(chooseNode(NODES, 'node-aa22').description.name).toBe('south');
  expect(chooseNode(NODES, 'north').description.id).toBe('node-aa11');
  expect(chooseNode(NODES, 'node-aa2').description.name).toBe('south');
  // A whole id goes before a name.
  expect(chooseNode(NODES, 'twin').description.name).toBe('odd');
});

test('what fits several nodes, or none, is refused', () => {
  expect(() => chooseNode(NODES, 'node-aa')).toThrow(/could be node-aa11, node-aa22/);
  expect(() => chooseNode(NODES.slice(0, 4), 'twin')).toThrow(/could be node-bb33, node-bb44/);
  expect(() => chooseNode(NODES, 'east')).toThrow(/no node "east"/);
});
