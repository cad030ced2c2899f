import { useEffect } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { AnswerOfCall, LanyardClient } from '../../shared/lanyard-client.ts';
import { useClient } from '../client/client.ts';
import { useMayAdminister } from './farm-store.ts';

type Admission = AnswerOfCall<'listAdmissions'>['admissions'][number];

/** A person who was told to expect a device looks at once; nobody is hurt by a few seconds (ms). */
const ASK_MS = 3_000;
const store = createStore<{ readonly list: readonly Admission[] }>(() => ({ list: [] }));

/** Devices that wait to be let in; kept current while an administrator looks at the window. */
export function useAdmissions(): readonly Admission[] {
  return useStore(store, (state) => state.list);
}

/** Asks now. That the coordinator is away is said elsewhere. */
export async function askAdmissions(client: LanyardClient): Promise<void> {
  await client.call('listAdmissions').then(
    ({ admissions }) => store.setState({ list: admissions }),
    () => {},
  );
}

/** Keeps the list current, for who may let devices in; used once, by the window's frame. */
export function useAdmissionsWatch(): void {
  const client = useClient();
  const mayAdminister = useMayAdminister();
  useEffect(() => {
    if (!mayAdminister) return;
    const ask = () => {
      if (!document.hidden) void askAdmissions(client);
    };
    ask();
    const timer = setInterval(ask, ASK_MS);
    return () => {
      clearInterval(timer);
      store.setState({ list: [] });
    };
  }, [client, mayAdminister]);
}
