import type { provisionStep } from '../../electron/core/provisioning.ts';
import type { step } from '../../electron/core/step.ts';
import type { Random } from './random.ts';
import type { Referee } from './referee.ts';
import type { Scenario } from './scenario.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

/** What every part of a simulated farm shares. */
export interface World {
  readonly scenario: Scenario;
  readonly random: Random;
  readonly timeline: Timeline;
  readonly trace: Trace;
  readonly referee: Referee;
  /** The real one, unless a test plants a fault. */
  readonly step: typeof step;
  readonly provisionStep: typeof provisionStep;
  /** Nothing new goes wrong any more: what was begun must come to an end. */
  calm: boolean;
}
