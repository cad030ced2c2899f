import { ROLES, type Role } from '../../../shared/trust.ts';
import { controls } from '../../ui/controls.tsx';

export const ROLE_WORDS: Readonly<Record<Role, { readonly word: string; readonly is: string; readonly may: string }>> = {
  viewer: { word: 'Viewer', is: 'a viewer', may: 'sees everything and changes nothing' },
  submitter: { word: 'Submitter', is: 'a submitter', may: 'submits jobs and changes them' },
  worker: { word: 'Worker', is: 'a worker', may: 'runs tasks and does nothing else' },
  admin: { word: 'Administrator', is: 'an administrator', may: 'may do everything' },
};

interface RoleSelectProps {
  readonly label: string;
  readonly value: Role;
  readonly onChange: (role: Role) => void;
}

export function RoleSelect({ label, value, onChange }: RoleSelectProps) {
  return (
    <select className={controls.input} aria-label={label} value={value} onChange={(event) => onChange(event.target.value as Role)}>
      {ROLES.map((role) => (
        <option key={role} value={role}>
          {ROLE_WORDS[role].word}
        </option>
      ))}
    </select>
  );
}

/** The beginning of a key's fingerprint, as the command line shows it too. */
export function shortId(id: string): string {
  return `${id.slice(0, 4)}-${id.slice(4, 8)}`;
}
