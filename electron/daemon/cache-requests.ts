import type { NodeCache } from '../../shared/cache.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import type { CoordinatorMessage } from '../../shared/protocol.ts';
import type { Clock } from '../ports/system.ts';

/** A machine that removes many files takes its time; one that says nothing for so long does not answer any more (ms). */
const ANSWER_MS = 30_000;

interface Waiting {
  readonly node: NodeId;
  readonly answered: (cache: NodeCache) => void;
}

export interface CacheRequestsOptions {
  readonly clock: Clock;
  readonly isConnected: (node: NodeId) => boolean;
  readonly send: (node: NodeId, message: CoordinatorMessage) => void;
}

/** Asks machines what they keep. Nothing of it is stored: it is asked when somebody looks. */
export class CacheRequests {
  private readonly options: CacheRequestsOptions;
  private readonly waiting = new Map<number, Waiting>();
  private next = 1;

  constructor(options: CacheRequestsOptions) {
    this.options = options;
  }

  /** @param clear removes what nothing works on first. @throws LanyardError UNAVAILABLE for a machine that is not connected, or does not answer */
  async ask(node: NodeId, clear: boolean): Promise<NodeCache> {
    const { clock, isConnected, send } = this.options;
    if (!isConnected(node))
      throw new LanyardError({
        code: 'UNAVAILABLE',
        message: 'The machine is not connected, so nobody knows what it keeps.',
        hint: 'look again when it is back',
      });
    const request = this.next++;
    const { promise, resolve, reject } = Promise.withResolvers<NodeCache>();
    const endWait = clock.after(ANSWER_MS, () =>
      reject(new LanyardError({ code: 'UNAVAILABLE', message: 'The machine did not say what it keeps.' })),
    );
    this.waiting.set(request, { node, answered: resolve });
    send(node, { type: 'look-into-cache', request, clear });
    try {
      return await promise;
    } finally {
      endWait();
      this.waiting.delete(request);
    }
  }

  /** Takes an answer; one that nobody waits for, or of a machine that was not asked, is nothing. */
  answered(node: NodeId, request: number, cache: NodeCache): void {
    const waiting = this.waiting.get(request);
    if (waiting?.node === node) waiting.answered(cache);
  }
}
