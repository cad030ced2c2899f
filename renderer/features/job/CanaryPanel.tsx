import { Bird, Check, Pencil, SquareX } from 'lucide-react';
import { useState } from 'react';
import type { CanaryDecision, CanaryProposal, SomeNeeds, TaskNeeds } from '../../../shared/canary.ts';
import type { CanaryView, JobView } from '../../../shared/view.ts';
import { hrefOf } from '../../app/router.ts';
import { useClient } from '../../client/client.ts';
import { useMaySubmit } from '../../store/farm-store.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { Confirm, controls, ErrorNote, type Question } from '../../ui/controls.tsx';
import { formatDuration, formatFullTime, formatMemory, plural } from '../../ui/format.ts';
import { CanaryForm } from './CanaryForm.tsx';
import css from './CanaryPanel.module.css';
import { CanaryPictures } from './CanaryPictures.tsx';

/** The first tasks of a job that were sent ahead: what they needed, what came out, and how the rest is to run. */
export function CanaryPanel({ job }: { readonly job: JobView }) {
  const { id, canaryPhase, counts } = job;
  // Before it is decided each task that ends brings something new.
  const ended = canaryPhase === null ? 0 : counts.COMPLETED;
  const { answer, error } = useAnswer((farm) => farm.call('getJob', { params: { job: id } }), [id, canaryPhase], [ended]);
  const canary = answer?.canary ?? null;
  if (canary === null) return error === null ? null : <ErrorNote error={error} />;
  return (
    <section className={controls.panel} aria-label="Canary">
      <div className={controls.panelHead}>
        <h2 className={css.title}>
          <Bird aria-hidden /> Canary
        </h2>
        <TaskLinks job={id} tasks={canary.tasks} />
      </div>
      <div className={css.body}>
        <p role="status">{sentence(canary)}</p>
        {canary.proposal !== null && <Decide job={id} proposal={canary.proposal} />}
        {canary.decision !== null && <Needs about={canary.decision} title="Asks for" needs={canary.decision.decided} />}
        {canary.proposal !== null && <CanaryPictures job={id} tasks={canary.tasks} />}
      </div>
    </section>
  );
}

function sentence({ tasks, ended, proposal, decision }: CanaryView): string {
  if (decision !== null)
    return decision.by === null
      ? 'The rest went on by itself with what the first tasks needed.'
      : `${decision.by} let the rest go on, ${formatFullTime(decision.at)}.`;
  if (proposal !== null) return 'The first tasks have ended. The others wait until somebody approves what they are to ask for.';
  if (ended === null) return 'The job ended before the rest was let go.';
  return `${ended} of ${plural(tasks.length, 'first task')} ended; the others wait for them.`;
}

function TaskLinks({ job, tasks }: { readonly job: number; readonly tasks: readonly number[] }) {
  return (
    <span className={css.links}>
      {tasks.map((task) => (
        <a key={task} href={hrefOf({ name: 'job', job, task })}>
          Task {task}
        </a>
      ))}
    </span>
  );
}

/** What was asked, what is proposed or was decided, and why. */
function Needs({
  about,
  title,
  needs,
}: {
  readonly about: CanaryProposal | CanaryDecision;
  readonly title: string;
  readonly needs: TaskNeeds;
}) {
  const { asked, reasons } = about;
  const rows = [
    { what: 'CPU cores', was: String(asked.cpu), is: String(needs.cpu) },
    { what: 'Memory', was: formatMemory(asked.ramMb), is: formatMemory(needs.ramMb) },
    { what: 'Timeout', was: formatDuration(asked.timeoutMs), is: formatDuration(needs.timeoutMs) },
  ];
  return (
    <table className={css.needs}>
      <thead>
        <tr>
          <th scope="col">Each task</th>
          <th scope="col">Asked for</th>
          <th scope="col">{title}</th>
          <th scope="col">Why</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ what, was, is }, at) => (
          <tr key={what}>
            <th scope="row">{what}</th>
            <td>{was}</td>
            <td>
              <strong>{is}</strong>
            </td>
            <td className={css.soft}>{reasons[at]?.replace(/^[^:]*: /, '')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Decide({ job, proposal }: { readonly job: number; readonly proposal: CanaryProposal }) {
  const client = useClient();
  const maySubmit = useMaySubmit();
  const [isChanging, setChanging] = useState(false);
  const [question, setQuestion] = useState<Question | null>(null);
  const approve = (needs: SomeNeeds) =>
    void client.call('approveCanary', { params: { job }, body: needs }).then(
      () => toastDone(`Approved: the rest of job ${job} goes on`),
      (error: unknown) => toastError(`Approve job ${job}`, error),
    );
  const cancel = () =>
    void client.call('cancelJob', { params: { job } }).then(
      () => toastDone(`Cancelled job ${job}`),
      (error: unknown) => toastError(`Cancel job ${job}`, error),
    );
  return (
    <>
      <Needs about={proposal} title="Proposed" needs={proposal.needs} />
      {maySubmit && isChanging && <CanaryForm needs={proposal.needs} onApprove={approve} onClose={() => setChanging(false)} />}
      {maySubmit && !isChanging && (
        <div className={css.actions}>
          {/* What is on the screen, should the farm propose something else by now. */}
          <button type="button" className={controls.primary} onClick={() => approve(proposal.needs)}>
            <Check aria-hidden /> Approve
          </button>
          <button type="button" className={controls.button} onClick={() => setChanging(true)}>
            <Pencil aria-hidden /> Change…
          </button>
          <button
            type="button"
            className={controls.danger}
            onClick={() =>
              setQuestion({
                title: `Cancel job ${job}?`,
                detail: 'The first tasks keep their outputs; the others are not run. They can be retried later.',
                verb: 'Cancel the job',
                run: cancel,
              })
            }
          >
            <SquareX aria-hidden /> Reject
          </button>
        </div>
      )}
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </>
  );
}
