import { createContext, use } from 'react';
import type { LanyardClient } from '../../shared/lanyard-client.ts';

/** The client that every screen asks; given once, when there is a connection to give. */
export const ClientContext = createContext<LanyardClient | null>(null);

export function useClient(): LanyardClient {
  const client = use(ClientContext);
  if (client === null) throw new Error('no client stands above this component');
  return client;
}
