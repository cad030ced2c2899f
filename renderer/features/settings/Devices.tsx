import { useState } from 'react';
import type { AnswerOfCall } from '../../../shared/lanyard-client.ts';
import type { Role } from '../../../shared/trust.ts';
import { useClient } from '../../client/client.ts';
import { useMayAdminister } from '../../store/farm-store.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { Confirm, controls, ErrorNote, type Question } from '../../ui/controls.tsx';
import { formatFullTime, plural } from '../../ui/format.ts';
import { InviteButton } from './Invites.tsx';
import { Panel } from './Panel.tsx';
import { ROLE_WORDS, RoleSelect, shortId } from './roles.tsx';
import css from './SettingsPage.module.css';

type Device = AnswerOfCall<'listDevices'>['devices'][number];

/** Who belongs to the farm, by key and not by name. */
export function Devices({ revision }: { readonly revision: unknown }) {
  const mayAdminister = useMayAdminister();
  const { answer, error, askAgain } = useAnswer((client) => client.call('listDevices'), [], [revision]);
  return (
    <Panel title="Devices" actions={mayAdminister ? <InviteButton /> : null}>
      {error !== null && <ErrorNote error={error} />}
      {answer !== null && (
        <table className={css.table}>
          <thead>
            <tr>
              <th>Name</th>
              <th>Key</th>
              <th>Since</th>
              <th>May</th>
              <th>
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {answer.devices.map((device) => (
              <DeviceRow key={device.id} device={device} isCoordinator={device.id === answer.coordinator} onChanged={askAgain} />
            ))}
          </tbody>
        </table>
      )}
      {answer !== null && (
        <p className={css.soft}>{plural(answer.devices.length, 'device')} in the roster that every one of them checks.</p>
      )}
    </Panel>
  );
}

interface DeviceRowProps {
  readonly device: Device;
  readonly isCoordinator: boolean;
  readonly onChanged: () => void;
}

function DeviceRow({ device, isCoordinator, onChanged }: DeviceRowProps) {
  const client = useClient();
  const mayAdminister = useMayAdminister();
  const [question, setQuestion] = useState<Question | null>(null);
  const told = (work: Promise<unknown>, done: string, what: string) =>
    work
      .then(
        () => toastDone(done),
        (error: unknown) => toastError(what, error),
      )
      .finally(onChanged);
  const setRole = (role: Role) =>
    void told(
      client.call('updateDevice', { params: { device: device.id }, body: { roles: [role] } }),
      `${device.name} is ${ROLE_WORDS[role].is} now`,
      `Change the role of ${device.name}`,
    );
  const remove = () =>
    void told(client.call('removeDevice', { params: { device: device.id } }), `Removed ${device.name}`, `Remove ${device.name}`);
  const [only] = device.roles;
  return (
    <tr>
      <td>
        {device.name} {isCoordinator && <span className={css.soft}>(coordinator)</span>}
      </td>
      <td>
        <code title={device.id}>{shortId(device.id)}</code>
      </td>
      <td className={css.soft}>{formatFullTime(device.addedAt)}</td>
      <td>
        {mayAdminister && !isCoordinator && device.roles.length === 1 && only !== undefined ? (
          <RoleSelect label={`What ${device.name} may`} value={only} onChange={setRole} />
        ) : (
          device.roles.map((role) => ROLE_WORDS[role].word).join(', ')
        )}
      </td>
      <td className={css.right}>
        {mayAdminister && !isCoordinator && (
          <button
            type="button"
            className={controls.danger}
            aria-label={`Remove ${device.name}`}
            onClick={() =>
              setQuestion({
                title: `Remove ${device.name}?`,
                detail: 'It is cut off at once, and its tasks go back to the queue. To come back it needs a new invite.',
                verb: 'Remove',
                run: remove,
              })
            }
          >
            Remove
          </button>
        )}
        <Confirm question={question} onClose={() => setQuestion(null)} />
      </td>
    </tr>
  );
}
