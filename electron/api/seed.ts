import type { SEED_ROUTES } from '../../shared/api-seed.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './route-types.ts';
import { seedExecuteHandlers } from './seed/execute.ts';
import { seedJobHandlers } from './seed/jobs.ts';
import { seedOutputHandlers } from './seed/output.ts';
import { seedResultHandlers } from './seed/results.ts';
import { createSpeakers } from './seed/speakers.ts';
import { seedWorkerHandlers } from './seed/workers.ts';

/** The earlier system's own interface (`shared/api-seed.ts`). */
export function seedHandlers(context: ApiContext): HandlersOf<typeof SEED_ROUTES> {
  const speakers = createSpeakers();
  return {
    ...seedWorkerHandlers(context, speakers),
    ...seedJobHandlers(context),
    ...seedOutputHandlers(context, speakers),
    ...seedResultHandlers(context, speakers),
    ...seedExecuteHandlers(context),
  };
}
