import type { OutputView } from '../../../shared/view.ts';
import { hrefOf } from '../../app/router.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { ErrorNote } from '../../ui/controls.tsx';
import css from './CanaryPanel.module.css';
import { outputKind } from './output-files.ts';
import { Thumbnail } from './Thumbnail.tsx';

/** Pictures shown of each of the first tasks; the rest stands among the outputs of the job. */
const PICTURES_A_TASK = 2;

/** What came out of the first tasks, to be looked at before the others are let go. */
export function CanaryPictures({ job, tasks }: { readonly job: number; readonly tasks: readonly number[] }) {
  const { answer, error } = useAnswer((farm) => farm.call('listOutputs', { params: { job } }), [job]);
  if (error !== null) return <ErrorNote error={error} />;
  const pictures = tasks.flatMap((task) => picturesOf(answer?.outputs ?? [], `${job}.${task}`));
  if (pictures.length === 0) return null;
  return (
    <ul className={css.pictures} aria-label="What came out of the first tasks">
      {pictures.map((picture) => (
        <li key={`${picture.task}/${picture.path}`}>
          <a href={hrefOf({ name: 'job', job, task: taskIndex(picture) })} title={picture.path}>
            <Thumbnail output={picture} />
            <span>
              Task {taskIndex(picture)}: {picture.path}
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function picturesOf(outputs: readonly OutputView[], task: string): readonly OutputView[] {
  return outputs.filter((output) => output.task === task && ['picture', 'still'].includes(outputKind(output))).slice(0, PICTURES_A_TASK);
}

function taskIndex({ task }: OutputView): number {
  return Number(task.split('.')[1]);
}
