import { expect, onTestFinished, test } from 'vitest';
import { workerSettingsSchema } from '../../shared/settings.ts';
import { createManualClock } from '../../tests/fakes/clock.ts';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import type { OwnerDecision } from '../core/owner.ts';
import type { OwnerPause, OwnerSenses } from '../ports/machine.ts';
import { ownerRules, startOwnerWatch } from './owner-watch.ts';
import { TaskCpu } from './task-cpu.ts';

/** A machine of four cores whose owner this test is. */
async function watched(settings: Record<string, unknown>) {
  const clock = createManualClock();
  const machine = { userIdleMs: 3_600_000 as number | undefined, onBattery: false, busyMs: 0, tasksMs: 0 as number | undefined, minute: 0 };
  let until: number | null | undefined;
  const senses: OwnerSenses = {
    userIdleMs: async () => machine.userIdleMs,
    onBattery: async () => machine.onBattery,
    cpuBusyMs: () => machine.busyMs,
    cores: 4,
    minuteOfWeek: () => machine.minute,
  };
  const pause: OwnerPause = {
    until: async () => until,
    async set(value) {
      until = value;
    },
  };
  const decisions: OwnerDecision['level'][] = [];
  const watch = await startOwnerWatch({
    clock,
    logger: silentLogger,
    senses,
    pause,
    rules: ownerRules(workerSettingsSchema.parse(settings)),
    tasksCpuMs: async () => machine.tasksMs,
    decided: ({ level }) => decisions.push(level),
  });
  onTestFinished(() => watch.close());
  return { clock, machine, pause, decisions, watch };
}

test('a new decision is told once, and the next step of the ladder comes by itself', async () => {
  const { clock, machine, decisions, watch } = await watched({ whenActive: 'slow 7s return' });
  expect(decisions).toEqual([]);
  machine.userIdleMs = 0;
  await Promise.all([watch.look(), watch.look()]);
  expect(decisions).toEqual(['slow']);
  // At 5 s it looks anyway, and at 7 s because the ladder says so.
  clock.advance(5_000);
  await watch.look();
  expect(decisions).toEqual(['slow']);
  clock.advance(2_000);
  await watch.look();
  expect(decisions).toEqual(['slow', 'return']);
});

test('somebody who comes during a look is seen by the one after it', async () => {
  const { machine, decisions, watch } = await watched({ whenActive: 'pause' });
  const first = watch.look();
  machine.userIdleMs = 0;
  await Promise.all([first, watch.look()]);
  expect(decisions).toEqual(['pause']);
});

test('the load of others is all load less that of the tasks', async () => {
  const { clock, machine, decisions, watch } = await watched({ whenBusy: 'slow', busyPercent: 50 });
  const pass = async (busyMs: number, tasksMs: number) => {
    clock.advance(1_000);
    machine.busyMs += busyMs;
    machine.tasksMs = (machine.tasksMs ?? 0) + tasksMs;
    await watch.look();
  };
  await pass(4_000, 3_900);
  expect(decisions).toEqual([]);
  await pass(4_000, 1_900);
  expect(decisions).toEqual(['slow']);
  // Where the tasks' share is not known nothing is said of the rest.
  machine.tasksMs = undefined;
  clock.advance(40_000);
  await watch.look();
  clock.advance(40_000);
  await watch.look();
  expect(decisions).toEqual(['slow', 'run']);
});

test('a pause ends when its time has come, and is forgotten', async () => {
  const { clock, pause, decisions, watch } = await watched({ whenPaused: 'pause' });
  await pause.set(clock.wallMs() + 60_000);
  await watch.look();
  clock.advance(60_000);
  await watch.look();
  expect(decisions).toEqual(['pause', 'run']);
  expect(await pause.until()).toBeUndefined();
  await pause.set(null);
  await watch.look();
  expect(decisions).toEqual(['pause', 'run', 'pause']);
});

test('tasks count with what they tell, and after their end with what they were allowed since', async () => {
  const cpu = new TaskCpu();
  const used = { a: 0 as number | undefined, b: 0 as number | undefined };
  const total = (nowMs: number) => cpu.totalMs(() => nowMs);
  cpu.began('1.0.1' as never, 2, async () => used.a, 0);
  cpu.began('1.1.1' as never, 1, async () => used.b, 0);
  used.a = 700;
  used.b = 300;
  expect(await total(1_000)).toBe(1_000);
  cpu.ended('1.0.1' as never, 1_100);
  // The one that ended used 700 that are known, and at most two cores for 100 ms.
  expect(await total(1_200)).toBe(700 + 200 + 300);
  used.b = undefined;
  expect(await total(1_300)).toBeUndefined();
  cpu.ended('1.1.1' as never, 1_300);
  expect(await total(1_400)).toBe(900 + 300 + 100);
});

test('new rules of the owner hold at once', async () => {
  const { machine, decisions, watch } = await watched({ whenActive: 'ignore' });
  machine.userIdleMs = 0;
  await watch.look();
  expect(decisions).toEqual([]);
  await watch.follow(ownerRules(workerSettingsSchema.parse({ whenActive: 'pause' })));
  expect(decisions).toEqual(['pause']);
  await watch.follow(ownerRules(workerSettingsSchema.parse({ whenActive: 'ignore' })));
  expect(decisions).toEqual(['pause', 'run']);
});
