import { KeyRound } from 'lucide-react';
import { useEffect } from 'react';
import { useFarm } from '../../store/farm-store.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { formatCount } from '../../ui/format.ts';
import css from './Limits.module.css';

const AGAIN_MS = 5_000;

/** What the whole farm shares, such as licences, and how much of it is held; nothing where the farm has no limits. */
export function Limits() {
  const isLive = useFarm((farm) => farm.link.state === 'live');
  const { answer, askAgain } = useAnswer((client) => client.call('listLimits'), []);
  const count = answer?.limits.length ?? 0;
  useEffect(() => {
    // A limit that a job brought up while there were none is seen when somebody comes here again.
    if (count === 0 || !isLive) return;
    const timer = setInterval(() => !document.hidden && askAgain(), AGAIN_MS);
    return () => clearInterval(timer);
  }, [count, isLive, askAgain]);
  if (answer === null || count === 0) return null;
  return (
    <ul className={css.limits} aria-label="Limits of the farm">
      {answer.limits.map(({ name, used, capacity, isWanted }) => {
        const isOut = isWanted && used >= capacity;
        return (
          <li key={name} data-out={isOut}>
            <KeyRound aria-hidden />
            <span>{name}</span>
            <span className={css.track} aria-hidden>
              <i style={{ width: `${Math.min(100, (100 * used) / Math.max(1, capacity))}%` }} />
            </span>
            <span className={css.figure}>
              {formatCount(used)} of {formatCount(capacity)} in use{isOut && ', and wanted'}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
