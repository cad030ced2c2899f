import { LanyardError } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import type { NodeRow } from '../../shared/node.ts';
import type { NodeCacheView, NodeExplanation, NodeView } from '../../shared/view.ts';
import { explainNode } from '../core/explain-others.ts';
import { nodeIds } from '../core/queries.ts';
import type { Store } from '../ports/store.ts';
import type { CacheRequests } from './cache-requests.ts';
import type { Farm } from './farm.ts';
import type { FarmLife } from './farm-life.ts';
import { endedAttemptView, nodeView } from './views.ts';

export interface FarmNodesOptions {
  readonly life: FarmLife;
  readonly store: Store;
  readonly cacheRequests: CacheRequests;
  /** @returns what the farm is doing with a machine, in a sentence; undefined when nothing */
  readonly provisioning: (node: NodeId) => string | undefined;
}

/** The machines of the farm: what can be asked about them, and what an administrator does to them. */
export class FarmNodes {
  private readonly life: FarmLife;
  private readonly store: Store;
  private readonly cacheRequests: CacheRequests;
  private readonly provisioning: FarmNodesOptions['provisioning'];

  constructor({ life, store, cacheRequests, provisioning }: FarmNodesOptions) {
    this.life = life;
    this.store = store;
    this.cacheRequests = cacheRequests;
    this.provisioning = provisioning;
  }

  list(): NodeView[] {
    return nodeIds(this.life.farm).map((node) => this.mustFind(node));
  }

  /** @throws LanyardError NOT_FOUND */
  mustFind(node: NodeId): NodeView {
    const view = this.find(node);
    if (view === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: `There is no node ${node}.` });
    return view;
  }

  /** @returns undefined for a node that is not there */
  find(node: NodeId): NodeView | undefined {
    const view = nodeView(this.life.farm, node);
    const reason = this.provisioning(node);
    return view === undefined || reason === undefined ? view : { ...view, reason };
  }

  async update(node: NodeId, availability: NodeRow['adminAvailability']): Promise<NodeView> {
    this.mustFind(node);
    await this.life.change({ type: 'node-admin', node, availability });
    return this.mustFind(node);
  }

  async remove(node: NodeId): Promise<void> {
    this.mustFind(node);
    await this.life.change({ type: 'node-removed', node });
  }

  attempts(node: NodeId, query: Parameters<Farm['nodeAttempts']>[1]): ReturnType<Farm['nodeAttempts']> {
    this.mustFind(node);
    const { attempts, total } = this.store.nodeAttempts(node, query);
    return { attempts: attempts.map(({ row, jobName, owner }) => ({ ...endedAttemptView(row), jobName, owner })), total };
  }

  async cache(node: NodeId, clear: boolean): Promise<NodeCacheView> {
    this.mustFind(node);
    const cache = await this.cacheRequests.ask(node, clear);
    return { ...cache, inputs: cache.inputs.map((input) => ({ ...input, job: this.store.newestJobOf(input.blob) ?? null })) };
  }

  explain(node: NodeId): NodeExplanation {
    const found = explainNode(this.life.farm, node);
    if (found === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: `There is no node ${node}.` });
    return found;
  }
}
