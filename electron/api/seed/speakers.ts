import { LanyardError } from '../../../shared/errors.ts';
import type { NodeId } from '../../../shared/ids.ts';
import { deviceIdSchema } from '../../../shared/trust.ts';
import type { Identity } from '../../ports/trust.ts';

/**
 * Who may speak for which worker that polls. The name of such a worker is only a name, so it belongs to whoever used it first since
 * this coordinator started; a device of the farm speaks for itself, with its key, over the link, and nobody polls in its name.
 */
export interface Speakers {
  /** @throws LanyardError FORBIDDEN when the worker is a device or somebody else's; an administrator may speak for all that poll */
  check(identity: Identity, worker: NodeId): void;
  /** The caller did speak for it: from now on it is the caller's. */
  claim(identity: Identity, worker: NodeId): void;
}

export function createSpeakers(): Speakers {
  // As many as there are nodes: one is added only where the farm took the node.
  const subjects = new Map<NodeId, string>();
  return {
    check({ subject, roles }, worker) {
      if (deviceIdSchema.safeParse(worker).success)
        throw new LanyardError({ code: 'FORBIDDEN', message: `${worker} is a device, which speaks for itself with its key` });
      const owner = subjects.get(worker);
      if (owner === undefined || owner === subject || roles.includes('admin')) return;
      throw new LanyardError({
        code: 'FORBIDDEN',
        message: `the worker ${worker} is somebody else's`,
        hint: 'a worker that polls needs a name of its own, or the token that it was registered with',
      });
    },
    claim({ subject }, worker) {
      if (!subjects.has(worker)) subjects.set(worker, subject);
    },
  };
}
