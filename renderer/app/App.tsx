import { CSPProvider } from '@base-ui/react/csp-provider';
import { useEffect, useMemo, useState } from 'react';
import type { LanyardClient } from '../../shared/lanyard-client.ts';
import { ClientContext } from '../client/client.ts';
import { createHttpClient } from '../client/http-client.ts';
import { createIpcClient, type DesktopClient, ipcBridge } from '../client/ipc-client.ts';
import { forgetToken, keepToken, takeToken } from '../client/session.ts';
import { startBridge } from '../store/bridge.ts';
import { farmStore, useFarm } from '../store/farm-store.ts';
import { notifyOfCanaries, notifyOfEnds } from '../store/job-notifications.ts';
import { Toasts } from '../ui/Toasts.tsx';
import { DesktopScreens } from './DesktopScreens.tsx';
import { Shell } from './Shell.tsx';
import { Welcome } from './Welcome.tsx';

/** Either the screens of a farm, or the way to one. */
export function App() {
  const [token, setToken] = useState(takeToken);
  const refused = useFarm((farm) => (farm.link.state === 'refused' ? farm.link.error : null));
  const client = useMemo((): LanyardClient | DesktopClient | null => {
    if (ipcBridge !== undefined) return createIpcClient(ipcBridge);
    return token === null ? null : createHttpClient(location.origin, token);
  }, [token]);

  useEffect(
    () =>
      client === null || 'desktop' in client
        ? undefined
        : startBridge(client, farmStore, { ended: (jobs) => notifyOfEnds(client, jobs), waiting: notifyOfCanaries }),
    [client],
  );
  // A link with a token may be opened in a tab that is already here.
  useEffect(() => {
    const look = () => location.hash.startsWith('#token=') && setToken(takeToken());
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);

  const connect = (next: string) => {
    keepToken(next);
    farmStore.setState(farmStore.getInitialState());
    setToken(next);
  };
  const leave = () => {
    forgetToken();
    farmStore.setState(farmStore.getInitialState());
    setToken(null);
  };
  return (
    <CSPProvider disableStyleElements>
      {client === null || (refused !== null && !('desktop' in client)) ? (
        <Welcome refused={refused} onConnect={connect} />
      ) : (
        <ClientContext value={client}>
          {'desktop' in client ? <DesktopScreens desktop={client.desktop} /> : <Shell onLeave={leave} />}
        </ClientContext>
      )}
      <Toasts />
    </CSPProvider>
  );
}
