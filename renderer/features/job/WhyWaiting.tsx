import type { JobView, TaskView } from '../../../shared/view.ts';
import { hrefOf } from '../../app/router.ts';
import { isLive } from '../../ui/state.tsx';
import { Explained } from '../explain/Explained.tsx';
import { plainText } from '../logs/ansi.ts';
import css from './WhyWaiting.module.css';

/** Why tasks of a job wait, and the smallest change that would help. Nothing for a job that waits for nothing. */
export function WhyWaiting({ job }: { readonly job: JobView }) {
  const waits = isLive(job) && job.counts.QUEUED + job.counts.SUBMITTED > 0;
  if (!waits) return null;
  return (
    <Explained label="Why it waits" about={`job ${job.id}`} ask={(client) => client.call('explainJob', { params: { job: job.id } })} />
  );
}

/** What one task is at, waits for, or failed of, with the end of the log that tells. Nothing for a task that is complete. */
export function WhyTask({ task: { job, index, state, attempt } }: { readonly task: TaskView }) {
  if (state === 'COMPLETED') return null;
  return (
    <Explained
      label={`Why task ${index} is ${state === 'QUEUED' || state === 'SUBMITTED' ? 'waiting' : 'as it is'}`}
      about={`task ${job}.${index}.${attempt}.${state}`}
      ask={(client) => client.call('explainTask', { params: { job, index } })}
    >
      {({ evidence }) =>
        evidence != null &&
        evidence.log !== '' && (
          <>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
            <section className={css.log} tabIndex={0} aria-label="The end of its log">
              {evidence.log.split('\n').map(plainText).join('\n')}
            </section>
            <a href={hrefOf({ name: 'log', attempt: evidence.attempt })}>The whole log of that attempt</a>
          </>
        )
      }
    </Explained>
  );
}
