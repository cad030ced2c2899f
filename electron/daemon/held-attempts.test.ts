import { expect, test } from 'vitest';
import type { AttemptId } from '../../shared/ids.ts';
import { requirementsSchema } from '../../shared/job.ts';
import type { Assignment, Report, Work } from '../../shared/protocol.ts';
import { createManualClock } from '../../tests/fakes/clock.ts';
import { Sequence } from '../../tests/fakes/link-world.ts';
import { createNullExecutor } from '../../tests/fakes/null-executor.ts';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import type { WorkerEvent } from '../core/worker-events.ts';
import { createWorkerState, endOfAttempt, workerStep } from '../core/worker-step.ts';
import type { Executor } from '../ports/executor.ts';
import type { LinkClient } from '../ports/link.ts';
import type { AttemptTools } from './attempt.ts';
import { HeldAttempts } from './held-attempts.ts';
import { TaskCpu } from './task-cpu.ts';

const ATTEMPT = '7.0.1' as AttemptId;
const ASSIGNMENT: Assignment = { attempt: ATTEMPT, parameters: {}, gpus: [], files: [] };
const WORK: Work = {
  ...{ name: 'render', owner: 'ana', command: 'true', image: null, input: null, files: [], env: {}, workdir: '.', outputs: [] },
  ...{ requirements: requirementsSchema.parse({ cpu: 1, ramMb: 1 }), timeoutMs: 60_000, network: false },
};

/** @returns what is reported of an attempt, and a way to end it */
function runOn(executor: Executor) {
  const reports = new Sequence<Report>();
  const clock = createManualClock();
  const state = createWorkerState({ stopGraceMs: 0, longestRunMs: 60_000, shared: { attempts: 1, cpu: 1, ramMb: 1 } });
  const link: LinkClient = {
    connected: true,
    send(message) {
      if (message.type === 'reports') for (const report of message.reports) reports.push(report);
    },
    sendLog: async () => {},
    close: async () => {},
  };
  // Where nothing is run there are no files and no log either.
  const tools = { slowShare: 1, executorFor: () => executor, printed() {} } as Partial<AttemptTools> as AttemptTools;
  const take = (event: WorkerEvent) => {
    for (const effect of workerStep(state, event, { wallMs: clock.wallMs(), elapsedMs: clock.elapsedMs() })) {
      if (effect.type === 'run') held.run(effect.assignment, effect.work);
      else if (effect.type === 'end') held.end(effect.attempt, effect.graceMs);
      else if (effect.type === 'report') held.report(effect.report);
    }
  };
  const held = new HeldAttempts({
    ...{ clock, logger: silentLogger, tools, taskCpu: new TaskCpu(), link: () => link, take },
    receipts: { add: async () => {}, list: async () => [], close: async () => {} },
    farm: () => 'farm',
    endOf: (attempt) => endOfAttempt(state, attempt),
    doubtful: async () => {},
  });
  take({ type: 'connected', stop: [] });
  take({ type: 'assigned', groups: [{ work: WORK, attempts: [ASSIGNMENT] }] });
  return { reports, stop: () => take({ type: 'stop', attempt: ATTEMPT, reason: 'cancelled', graceMs: 0 }) };
}

test('what ends in the moment in which it starts is told of once', async () => {
  const { reports } = runOn(createNullExecutor());
  expect(await reports.at(0)).toMatchObject({ kind: 'ended', attempt: ATTEMPT, end: { reason: 'completed', started: true } });
});

test('what goes on is told of when it starts, and when it ends', async () => {
  const { reports, stop } = runOn(createNullExecutor({ endless: true }));
  expect(await reports.at(0)).toEqual({ kind: 'started', attempt: ATTEMPT });
  stop();
  expect(await reports.at(1)).toMatchObject({ kind: 'ended', attempt: ATTEMPT, end: { reason: 'cancelled', started: true } });
});
