import type { SEED_ROUTES } from '../../shared/api-seed.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './route-types.ts';
import { seedExecuteHandlers } from './seed/execute.ts';
import { seedJobHandlers } from './seed/jobs.ts';
import { seedOutputHandlers } from './seed/output.ts';
import { seedResultHandlers } from './seed/results.ts';
import { seedWorkerHandlers } from './seed/workers.ts';

/** The earlier system's own interface (`shared/api-seed.ts`). */
export function seedHandlers(context: ApiContext): HandlersOf<typeof SEED_ROUTES> {
  return {
    ...seedWorkerHandlers(context),
    ...seedJobHandlers(context),
    ...seedOutputHandlers(context),
    ...seedResultHandlers(context),
    ...seedExecuteHandlers(context),
  };
}
