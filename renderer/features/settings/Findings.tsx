import { CircleCheck, CircleX, Stethoscope, TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import type { Finding } from '../../../shared/finding.ts';
import { controls, ErrorNote } from '../../ui/controls.tsx';
import { plural } from '../../ui/format.ts';
import css from './Findings.module.css';
import { Panel } from './Panel.tsx';

const LOOKS = {
  fail: { icon: CircleX, word: 'In the way' },
  warn: { icon: TriangleAlert, word: 'Worth a look' },
  ok: { icon: CircleCheck, word: 'Fine' },
} as const;
const ORDER: readonly Finding['level'][] = ['fail', 'warn', 'ok'];

interface FindingsProps {
  /** Whose network, firewall, clock and engine are looked at. */
  readonly machine: string;
  readonly examine: () => Promise<readonly Finding[]>;
}

/** What stands between a machine and the farm, and what to do about it: what `lanyard doctor` says there. */
export function Findings({ machine, examine }: FindingsProps) {
  const [findings, setFindings] = useState<readonly Finding[]>();
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const look = () => {
    setBusy(true);
    setProblem(null);
    examine()
      .then(setFindings, setProblem)
      .finally(() => setBusy(false));
  };
  const bad = findings?.filter(({ level }) => level !== 'ok').length ?? 0;
  return (
    <Panel
      title="What is in the way"
      actions={
        <button type="button" className={controls.button} disabled={isBusy} onClick={look}>
          <Stethoscope aria-hidden /> {isBusy ? 'Looking…' : findings === undefined ? 'Look around' : 'Look again'}
        </button>
      }
    >
      <p className={css.soft} role="status">
        {isBusy
          ? `Looking around from ${machine}; it takes a few seconds.`
          : findings === undefined
            ? `Looks at each network interface, the firewall, the clock and the engine of ${machine}, as lanyard doctor does there.`
            : bad === 0
              ? 'Nothing is in the way.'
              : `${plural(bad, 'thing')} to look at.`}
      </p>
      {problem !== null && <ErrorNote error={problem} />}
      {findings !== undefined && (
        <ul className={css.findings}>
          {ORDER.flatMap((level) => findings.filter((finding) => finding.level === level)).map((finding) => (
            <Found key={finding.what + finding.detail} finding={finding} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Found({ finding: { level, what, detail, fix } }: { readonly finding: Finding }) {
  const { icon: Icon, word } = LOOKS[level];
  return (
    <li data-level={level}>
      <Icon aria-hidden />
      <div>
        <p>
          <strong>{what}</strong> <span className={css.soft}>{word.toLowerCase()}</span>
        </p>
        <p className={css.soft}>{detail}</p>
        {fix !== null && <p>{fix}</p>}
      </div>
    </li>
  );
}
