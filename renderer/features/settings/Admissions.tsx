import { Check, X } from 'lucide-react';
import { useState } from 'react';
import type { AnswerOfCall } from '../../../shared/lanyard-client.ts';
import type { Role } from '../../../shared/trust.ts';
import { useClient } from '../../client/client.ts';
import { askAdmissions, useAdmissions } from '../../store/admissions.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { controls } from '../../ui/controls.tsx';
import { Panel } from './Panel.tsx';
import { RoleSelect, shortId } from './roles.tsx';
import css from './SettingsPage.module.css';

type Admission = AnswerOfCall<'listAdmissions'>['admissions'][number];

/** Devices that ask to be let in. Nothing of what they say of themselves is proven but their key. */
export function Admissions({ onChanged }: { readonly onChanged: () => void }) {
  const admissions = useAdmissions().filter(({ state }) => state === 'waiting');
  return (
    <Panel title="Waiting to be let in">
      <ul className={css.admissions} aria-live="polite">
        {admissions.map((admission) => (
          <AdmissionCard key={admission.id} admission={admission} onChanged={onChanged} />
        ))}
      </ul>
      {admissions.length === 0 && (
        <p className={css.soft}>
          Nobody. A device that was invited without being let in at once, or that found this farm by itself, waits here.
        </p>
      )}
    </Panel>
  );
}

function AdmissionCard({ admission, onChanged }: { readonly admission: Admission; readonly onChanged: () => void }) {
  const client = useClient();
  const [role, setRole] = useState<Role>(admission.role);
  const [isBusy, setBusy] = useState(false);
  const decide = (name: 'approveAdmission' | 'refuseAdmission', done: string) => {
    setBusy(true);
    const params = { admission: admission.id };
    const call = name === 'approveAdmission' ? client.call(name, { params, body: { role } }) : client.call(name, { params });
    call
      .then(
        () => toastDone(done),
        (error: unknown) => toastError(`Decide about ${admission.name}`, error),
      )
      .finally(() => {
        setBusy(false);
        void askAdmissions(client).then(onChanged);
      });
  };
  return (
    <li className={css.admission}>
      <div className={css.stack}>
        <strong>{admission.name}</strong>
        <span className={css.soft}>
          from {admission.from}, key <code title={admission.device}>{shortId(admission.device)}</code>
        </span>
      </div>
      {admission.digits !== null && (
        <p className={css.digits}>
          <output aria-label="Six digits">{`${admission.digits.slice(0, 3)} ${admission.digits.slice(3)}`}</output>
          <span>Let it in only if the same six digits stand on its screen.</span>
        </p>
      )}
      <div className={css.line}>
        <RoleSelect label={`What ${admission.name} may`} value={role} onChange={setRole} />
        <button
          type="button"
          className={controls.primary}
          disabled={isBusy}
          onClick={() => decide('approveAdmission', `${admission.name} is in`)}
        >
          <Check aria-hidden /> Let in
        </button>
        <button
          type="button"
          className={controls.button}
          disabled={isBusy}
          onClick={() => decide('refuseAdmission', `${admission.name} was turned away`)}
        >
          <X aria-hidden /> Turn away
        </button>
      </div>
    </li>
  );
}
