import type { ROUTES } from '../../../shared/api.ts';
import { LanyardError } from '../../../shared/errors.ts';
import { isNodeId, type NodeId } from '../../../shared/ids.ts';
import type { ApiContext } from '../context.ts';
import type { HandlersOf } from '../route-types.ts';

type Names = 'listNodes' | 'getNode' | 'explainNode' | 'listNodeAttempts' | 'getNodeCache' | 'clearNodeCache' | 'updateNode' | 'removeNode';

export function nodeHandlers({ farm }: ApiContext): HandlersOf<Pick<typeof ROUTES, Names>> {
  return {
    listNodes: () => ({ nodes: farm.listNodes() }),
    explainNode: ({ params }) => farm.explainNode(nodeOf(params.node)),
    getNode: ({ params }) => farm.node(nodeOf(params.node)),
    listNodeAttempts: ({ params, query }) => farm.nodeAttempts(nodeOf(params.node), query),
    getNodeCache: ({ params }) => farm.nodeCache(nodeOf(params.node), false),
    clearNodeCache({ params, identity }) {
      const node = nodeOf(params.node);
      if (!identity.roles.includes('admin') && identity.device !== node)
        throw new LanyardError({ code: 'NOT_FOUND', message: 'a machine clears no cache but its own', field: 'node' });
      return farm.nodeCache(node, true);
    },
    updateNode: ({ params, body, identity }) => farm.updateNode(nodeOf(params.node), body.availability, identity),
    removeNode: async ({ params, identity }) => {
      await farm.removeNode(nodeOf(params.node), identity);
      return { ok: true };
    },
  };
}

function nodeOf(text: string): NodeId {
  if (!isNodeId(text)) throw new LanyardError({ code: 'NOT_FOUND', message: 'no node has such an id', field: 'node' });
  return text;
}
