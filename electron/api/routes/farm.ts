import { ROUTES } from '../../../shared/api.ts';
import { SEED_ROUTES } from '../../../shared/api-seed.ts';
import type { Role } from '../../../shared/trust.ts';
import type { ApiContext } from '../context.ts';
import { eventStream } from '../events.ts';
import { jobSchemaDocument, openApiDocument } from '../openapi.ts';
import type { HandlersOf } from '../route-types.ts';

type Names = 'health' | 'openapi' | 'jobSchema' | 'farm' | 'events' | 'listOwners' | 'listLimits' | 'doctor' | 'backup';

export function farmHandlers({ farm, version, examine }: ApiContext): HandlersOf<Pick<typeof ROUTES, Names>> {
  const jobSchema = JSON.stringify(jobSchemaDocument());
  const document = JSON.stringify(openApiDocument({ ...ROUTES, ...SEED_ROUTES }, version));
  // Whoever asks while it is looked around gets the same answer.
  let examining: ReturnType<typeof examine> | undefined;
  const examined = () => {
    examining ??= examine().finally(() => {
      examining = undefined;
    });
    return examining;
  };
  return {
    health: () => ({ status: 'ok', version }),
    openapi: () => ({ headers: { 'content-type': 'application/json; charset=utf-8' }, body: document }),
    jobSchema: () => ({ headers: { 'content-type': 'application/schema+json; charset=utf-8' }, body: jobSchema }),
    farm({ identity: { roles, subject } }) {
      return { id: farm.id, name: farm.name, version, totals: farm.totals(), role: foremost(roles), subject };
    },
    listOwners: () => ({ owners: farm.listOwners() }),
    listLimits: () => ({ limits: farm.listLimits() }),
    events: () => ({ headers: { 'content-type': 'text/event-stream' }, body: eventStream(farm), live: true }),
    doctor: async () => ({ findings: [...(await examined())] }),
    backup: async () => ({ path: await farm.backup() }),
  };
}

/** The role that a screen goes by: what it offers. */
function foremost(roles: readonly Role[]): Role {
  return (['admin', 'submitter', 'viewer'] as const).find((role) => roles.includes(role)) ?? 'worker';
}
