import { expect, onTestFinished, test, vi } from 'vitest';
import { type Pace, startAsking } from './asking.ts';

const QUICK: Pace = { soonMs: 1, betweenMs: 5 };
/** Longer than any test: what waits for it does not happen here. */
const NEVER_MS = 600_000;

/** Waits for it, however slow the machine is. */
const seen = (isSo: () => void) => vi.waitFor(isSo, { timeout: 15_000 });
const nextTurn = () => new Promise((resolve) => setTimeout(resolve));

/** A value that changes, and what was answered of it. */
function watched(pace: Pace) {
  const answers: number[] = [];
  let value = 0;
  const asking = startAsking(async () => {
    answers.push(value);
  }, pace);
  onTestFinished(() => asking.stop());
  return {
    answers,
    change() {
      value += 1;
      asking.changed();
      return value;
    },
  };
}

/** Changes without pause until that is so. */
async function changeUntil(isSo: () => boolean, ...changing: readonly { change(): void }[]): Promise<void> {
  while (!isSo()) {
    for (const one of changing) one.change();
    await nextTurn();
  }
}

test('it is asked at once, and a change before that needs no question of its own', async () => {
  const { answers, change } = watched({ soonMs: 1, betweenMs: NEVER_MS });
  change();
  await seen(() => expect(answers).toEqual([1]));
});

test('changes that never pause are answered all the same', async () => {
  const one = watched(QUICK);
  await changeUntil(() => one.answers.length > 5, one);
  expect(one.answers).toEqual(one.answers.toSorted((a, b) => a - b));
});

test('while changes go on it is asked a while after each answer, not at each change', async () => {
  const [slow, quick] = [watched({ soonMs: 1, betweenMs: NEVER_MS }), watched(QUICK)];
  await changeUntil(() => quick.answers.length > 5, slow, quick);
  expect(slow.answers).toHaveLength(1);
});

test('the first change after a rest is answered soon, and the last one always', async () => {
  const { answers, change } = watched(QUICK);
  await seen(() => expect(answers).toEqual([0]));
  for (let round = 0; round < 3; round += 1) {
    let last = change();
    for (let more = 0; more < 4; more += 1) {
      await nextTurn();
      last = change();
    }
    await seen(() => expect(answers.at(-1)).toBe(last));
  }
});

test('a question that is under way is waited for; what changed meanwhile is asked about after it', async () => {
  const held: (() => void)[] = [];
  const asking = startAsking(() => new Promise<void>((resolve) => held.push(resolve)), QUICK);
  onTestFinished(() => asking.stop());
  const other = watched(QUICK);
  await seen(() => expect(held).toHaveLength(1));
  await changeUntil(() => other.answers.length > 5, other, { change: () => asking.changed() });
  expect(held).toHaveLength(1);
  held[0]?.();
  await seen(() => expect(held).toHaveLength(2));
});

test('nothing is asked after the end', async () => {
  const held: (() => void)[] = [];
  const asking = startAsking(() => new Promise<void>((resolve) => held.push(resolve)), QUICK);
  await seen(() => expect(held).toHaveLength(1));
  asking.changed();
  asking.stop();
  held[0]?.();
  asking.changed();
  const other = watched(QUICK);
  await changeUntil(() => other.answers.length > 5, other);
  expect(held).toHaveLength(1);
});
