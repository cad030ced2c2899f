import { Dialog } from '@base-ui/react/dialog';
import { Copy, UserPlus } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { AnswerOfCall } from '../../../shared/lanyard-client.ts';
import type { Role } from '../../../shared/trust.ts';
import { useClient } from '../../client/client.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { controls, ErrorNote } from '../../ui/controls.tsx';
import { formatDuration } from '../../ui/format.ts';
import { Panel } from './Panel.tsx';
import { QrCode } from './QrCode.tsx';
import { ROLE_WORDS, RoleSelect } from './roles.tsx';
import css from './SettingsPage.module.css';

type Invite = AnswerOfCall<'createInvite'>;

/** Makes an invite and shows it: its secret is never seen again. */
export function InviteButton() {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button type="button" className={controls.primary} onClick={() => setOpen(true)}>
        <UserPlus aria-hidden /> Invite a device
      </button>
      <Dialog.Root open={isOpen} onOpenChange={setOpen}>
        <Dialog.Portal>
          <Dialog.Backdrop className={controls.overlay} />
          <Dialog.Popup className={`${controls.dialog} ${css.wide}`}>
            <div className={controls.dialogBody}>
              <Dialog.Title>Invite a device</Dialog.Title>
              <InviteForm />
              <div className={controls.dialogActions}>
                <Dialog.Close className={controls.button}>Close</Dialog.Close>
              </div>
            </div>
          </Dialog.Popup>
        </Dialog.Portal>
      </Dialog.Root>
    </>
  );
}

function InviteForm() {
  const client = useClient();
  const [role, setRole] = useState<Role>('worker');
  const [approve, setApprove] = useState(false);
  const [invite, setInvite] = useState<Invite | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  if (invite !== null) return <MadeInvite invite={invite} isApproved={approve} />;
  const make = () => {
    setBusy(true);
    client
      .call('createInvite', { body: { role, approve } })
      .then(setInvite, setError)
      .finally(() => setBusy(false));
  };
  return (
    <>
      <p>
        An invite is good for one device and ten minutes. It carries the keys of this farm, so that the device cannot be led to another.
      </p>
      <div className={css.line}>
        <RoleSelect label="What the device may" value={role} onChange={setRole} />
        <span className={css.soft}>{ROLE_WORDS[role].may}</span>
      </div>
      <label className={css.line}>
        <input type="checkbox" checked={approve} onChange={(event) => setApprove(event.target.checked)} />
        Let it in at once. Otherwise you look at it first, and approve.
      </label>
      {error !== null && <ErrorNote error={error} />}
      <button type="button" className={controls.primary} disabled={isBusy} onClick={make}>
        Make the invite
      </button>
    </>
  );
}

function MadeInvite({ invite, isApproved }: { readonly invite: Invite; readonly isApproved: boolean }) {
  const command = `lanyard up --join '${invite.text}'`;
  return (
    <div className={css.invite}>
      <QrCode text={invite.link} label="The invite as a QR code" />
      <div className={css.stack}>
        <p>On the device: open Lanyard and paste the link, or run the command. The code is the link, for a device with a camera.</p>
        <CopyField label="Link" text={invite.link} />
        <CopyField label="Command" text={command} />
        <p className={css.soft}>
          {isApproved
            ? 'The device is in as soon as it brings the invite.'
            : 'The device then waits under “Waiting to be let in” for your approval.'}{' '}
          It works until <ExpiryTime at={invite.expiresAt} />, once, and is not shown again.
        </p>
      </div>
    </div>
  );
}

function ExpiryTime({ at }: { readonly at: number }) {
  return <time dateTime={new Date(at).toISOString()}>{new Date(at).toLocaleTimeString()}</time>;
}

/** A text that is read by machines: to be copied, not typed. */
export function CopyField({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    <div className={css.copy}>
      <span className={controls.label}>{label}</span>
      <code>{text}</code>
      <button
        type="button"
        className={controls.button}
        aria-label={`Copy: ${label}`}
        onClick={() =>
          copyText(text).then(
            () => toastDone(`Copied: ${label.toLowerCase()}`),
            (error: unknown) => toastError('Copy', error),
          )
        }
      >
        <Copy aria-hidden /> Copy
      </button>
    </div>
  );
}

async function copyText(text: string): Promise<void> {
  // A page that came over plain HTTP from another machine has no clipboard.
  if (navigator.clipboard === undefined) throw new Error('This browser gives no clipboard to this page. Select the text and copy it.');
  await navigator.clipboard.writeText(text);
}

/** Invites that nobody has used yet. */
export function OpenInvites() {
  const client = useClient();
  const { answer, error, askAgain } = useAnswer((one) => one.call('listInvites'), []);
  useEffect(() => {
    const timer = setInterval(askAgain, 5_000);
    return () => clearInterval(timer);
  }, [askAgain]);
  if (error !== null) return <ErrorNote error={error} />;
  if (answer === null || answer.invites.length === 0) return null;
  return (
    <Panel title="Open invites">
      <table className={css.table}>
        <thead>
          <tr>
            <th>For</th>
            <th>Made by</th>
            <th>Left</th>
            <th>
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {answer.invites.map((invite) => (
            <tr key={invite.id}>
              <td>
                {ROLE_WORDS[invite.role].is}
                {invite.isApproved && <span className={css.soft}>, let in at once</span>}
              </td>
              <td>{invite.by}</td>
              <td>{formatDuration(invite.leftMs)}</td>
              <td className={css.right}>
                <button
                  type="button"
                  className={controls.button}
                  aria-label={`Take back the invite ${invite.id}`}
                  onClick={() =>
                    client
                      .call('revokeInvite', { params: { invite: invite.id } })
                      .then(
                        () => toastDone('The invite is void'),
                        (problem: unknown) => toastError('Take back the invite', problem),
                      )
                      .finally(askAgain)
                  }
                >
                  Take back
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
