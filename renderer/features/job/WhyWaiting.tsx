import { CircleHelp } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import type { Explanation, JobView } from '../../../shared/view.ts';
import { useClient } from '../../client/client.ts';
import { useFarm } from '../../store/farm-store.ts';
import { plural } from '../../ui/format.ts';
import { isLive } from '../../ui/state.tsx';
import css from './WhyWaiting.module.css';

/** The farm explains again at most this often (ms). */
const AGAIN_MS = 3_000;

/** Why tasks of a job wait, and the smallest change that would help. Nothing for a job that waits for nothing. */
export function WhyWaiting({ job }: { readonly job: JobView }) {
  const waits = isLive(job) && job.counts.QUEUED + job.counts.SUBMITTED > 0;
  return waits ? <Reasons job={job.id} /> : null;
}

function Reasons({ job }: { readonly job: number }) {
  const client = useClient();
  const revision = useFarm((farm) => farm.revision);
  const [explanation, setExplanation] = useState<Explanation | null>(null);
  const askedAt = useRef(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: any change of the farm may change the reason
  useEffect(() => {
    const wait = Math.max(0, askedAt.current + AGAIN_MS - Date.now());
    const timer = setTimeout(() => {
      askedAt.current = Date.now();
      // Without an answer the last one stands; that the farm is away is said elsewhere.
      client.call('explainJob', { params: { job } }).then(setExplanation, () => {});
    }, wait);
    return () => clearTimeout(timer);
  }, [client, job, Math.floor(revision / 8)]);
  if (explanation === null) return null;
  // What the sentence says already needs no line of its own.
  const obstacles = explanation.obstacles.filter(({ message, help }) => help !== null || !explanation.summary.includes(message));
  return (
    <section className={css.why} aria-label="Why it waits">
      <CircleHelp aria-hidden />
      <div>
        <p>
          {explanation.summary}
          {explanation.ahead !== null && explanation.ahead > 0 && (
            <span className={css.soft}> {plural(explanation.ahead, 'task')} ahead of it.</span>
          )}
        </p>
        {obstacles.length > 0 && (
          <ul>
            {obstacles.map(({ constraint, message, help }) => (
              <li key={constraint + message}>
                {message} {help !== null && <strong>{help}</strong>}
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}
