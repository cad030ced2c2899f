import { existsSync } from 'node:fs';
import { join } from 'node:path';
import files from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Serves the built dashboard at `/` to everybody: it is code without data, which it asks for with a token. */
export async function serveDashboard(app: FastifyInstance, folder: string | undefined): Promise<void> {
  if (folder !== undefined && existsSync(join(folder, 'index.html'))) {
    await app.register(files, { root: folder, dotfiles: 'ignore', decorateReply: false });
    return;
  }
  app.get('/', async (_, reply) => {
    reply.type('text/plain; charset=utf-8');
    return 'This is a Lanyard coordinator. Its API is described at /api/openapi.json.\n';
  });
}
