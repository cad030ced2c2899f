import { expect, test } from 'vitest';
import { coordinatorMessageSchema, workerMessageSchema } from '../../shared/protocol.ts';
import { ROLES } from '../../shared/trust.ts';
import { mayCommand, maySend } from './roles.ts';
import { farmOf, makeIdentity } from './trust.fixture.ts';

const typesOf = (schema: { options: readonly { shape: { type: { value: string } } }[] }) =>
  schema.options.map(({ shape }) => shape.type.value);

test('every message to the coordinator is for workers, and for nobody else', () => {
  for (const type of typesOf(workerMessageSchema))
    for (const role of ROLES) expect(maySend([role], type), `${role} ${type}`).toBe(role === 'worker');
  expect(maySend(['admin', 'worker'], 'hello')).toBe(true);
  expect(maySend([], 'hello')).toBe(false);
});

test('a message that nobody was named for is for nobody', () => {
  for (const type of ['welcome', 'toString', '__proto__', '']) expect(maySend(ROLES, type)).toBe(false);
});

test('only the coordinator of the roster commands', async () => {
  const [one, two] = await Promise.all([makeIdentity(), makeIdentity()]);
  const { roster } = farmOf(one);
  for (const type of typesOf(coordinatorMessageSchema)) {
    expect(mayCommand(roster, one.id, type)).toBe(true);
    expect(mayCommand(roster, two.id, type)).toBe(false);
  }
  expect(mayCommand(roster, one.id, 'hello')).toBe(false);
});
