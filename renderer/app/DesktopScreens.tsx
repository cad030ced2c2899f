import { useEffect, useState } from 'react';
import type { Membership } from '../../shared/ipc.ts';
import { useClient } from '../client/client.ts';
import type { Desktop } from '../client/ipc-client.ts';
import { startBridge } from '../store/bridge.ts';
import { farmStore, useFarm } from '../store/farm-store.ts';
import { toastError } from '../store/toasts.ts';
import { DesktopWelcome } from './DesktopWelcome.tsx';
import { followOpenings } from './desktop.ts';
import { Shell } from './Shell.tsx';
import { WorkerOnly } from './WorkerOnly.tsx';

/** Roles that may look at the queue. */
const READERS = ['viewer', 'submitter', 'admin'];

/** What the desktop window shows: the way into a farm, what a machine shows that only works, or the farm. */
export function DesktopScreens({ desktop }: { readonly desktop: Desktop }) {
  const [membership, setMembership] = useState<Membership>();
  const [link, setLink] = useState('');
  const ask = () => void desktop.membership().then(setMembership, (error: unknown) => toastError('Asking for the farm', error));
  useEffect(() => {
    desktop.membership().then(setMembership, (error: unknown) => toastError('Asking for the farm', error));
    return followOpenings(desktop, setLink);
  }, [desktop]);
  if (membership === undefined) return null;
  if (membership.farm === null) return <DesktopWelcome desktop={desktop} membership={membership} link={link} onFarm={ask} />;
  if (!membership.roles.some((role) => READERS.includes(role))) return <WorkerOnly desktop={desktop} membership={membership} />;
  return <FarmScreens />;
}

function FarmScreens() {
  const client = useClient();
  const refused = useFarm(({ link }) => link.state === 'refused');
  useEffect(() => startBridge(client, farmStore), [client]);
  // The one way to be refused here is to be taken out of the farm while the window is open.
  return refused ? <p role="alert">This machine is no longer let in. Ask an administrator of the farm.</p> : <Shell onLeave={null} />;
}
