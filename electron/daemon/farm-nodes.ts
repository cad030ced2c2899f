import { LanyardError } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import type { NodeRow } from '../../shared/node.ts';
import type { NodeExplanation, NodeView } from '../../shared/view.ts';
import { explainNode } from '../core/explain-others.ts';
import { nodeIds } from '../core/queries.ts';
import type { FarmLife } from './farm-life.ts';
import { nodeView } from './views.ts';

export interface FarmNodesOptions {
  readonly life: FarmLife;
  /** @returns what the farm is doing with a machine, in a sentence; undefined when nothing */
  readonly provisioning: (node: NodeId) => string | undefined;
}

/** The machines of the farm: what can be asked about them, and what an administrator does to them. */
export class FarmNodes {
  private readonly life: FarmLife;
  private readonly provisioning: FarmNodesOptions['provisioning'];

  constructor({ life, provisioning }: FarmNodesOptions) {
    this.life = life;
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

  explain(node: NodeId): NodeExplanation {
    const found = explainNode(this.life.farm, node);
    if (found === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: `There is no node ${node}.` });
    return found;
  }
}
