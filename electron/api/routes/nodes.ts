import type { ROUTES } from '../../../shared/api.ts';
import { LanyardError } from '../../../shared/errors.ts';
import { isNodeId, type NodeId } from '../../../shared/ids.ts';
import type { ApiContext } from '../context.ts';
import type { HandlersOf } from '../route-types.ts';

type Names = 'listNodes' | 'getNode' | 'explainNode' | 'updateNode' | 'removeNode';

export function nodeHandlers({ farm }: ApiContext): HandlersOf<Pick<typeof ROUTES, Names>> {
  return {
    listNodes: () => ({ nodes: farm.listNodes() }),
    explainNode: ({ params }) => farm.explainNode(nodeOf(params.node)),
    getNode: ({ params }) => farm.node(nodeOf(params.node)),
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
