import type { Membership } from '../../shared/ipc.ts';
import type { Desktop } from '../client/ipc-client.ts';
import { OwnEngine } from '../features/settings/OwnEngine.tsx';
import { controls } from '../ui/controls.tsx';
import logo from './lanyard.svg';
import css from './Welcome.module.css';

/** A machine that works for a farm and may not look at its queue. */
export function WorkerOnly({ desktop, membership: { farm, device } }: { readonly desktop: Desktop; readonly membership: Membership }) {
  return (
    <main className={css.page}>
      <div className={css.card}>
        <img src={logo} alt="" width={44} height={44} />
        <h1>This machine works for {farm?.name}</h1>
        <p className={css.lead}>
          Its administrators see it as <strong>{device.name}</strong> (<code>{device.fingerprint}</code>). You can close this window: it
          stays in the tray, where you see what it does and can pause it.
        </p>
        <p className={controls.help}>To see the queue and submit jobs here as well, ask an administrator for another role.</p>
      </div>
      <OwnEngine desktop={desktop} />
    </main>
  );
}
