import { CircleCheck, TriangleAlert } from 'lucide-react';
import { useMemo } from 'react';
import { controls } from '../../ui/controls.tsx';
import { plural } from '../../ui/format.ts';
import { CardGraph, graphCard } from '../graph/CardGraph.tsx';
import { chooseStage, stagesOf, useDraft } from './draft.ts';
import { checkForm } from './form.ts';
import { graphOf } from './stages.ts';

/** The stages of a submission as a graph; the one that is chosen stands in the form below. Nothing for a single job. */
export function StagesPanel() {
  const draft = useDraft((state) => state);
  const stages = stagesOf(draft);
  const { at } = draft;
  const graph = useMemo(() => (stages === null ? null : graphOf(stages)), [stages]);
  if (stages === null || graph === null) return null;
  const cards = graph.places.map((place) => {
    const index = stages.findIndex(({ name }) => name === place.id);
    const stage = stages[index];
    const { taskCount, problems } = stage === undefined ? { taskCount: null, problems: {} } : checkForm(stage.form, stage.described);
    const isSound = Object.keys(problems).length === 0;
    const Icon = isSound ? CircleCheck : TriangleAlert;
    return {
      ...place,
      card: (
        <button type="button" className={graphCard} aria-pressed={index === at} onClick={() => chooseStage(index)}>
          <strong>{place.id}</strong>
          <span className={controls.chip}>
            <span className={controls.chip}>
              <Icon aria-hidden /> {isSound ? 'ready' : plural(Object.keys(problems).length, 'field to mend', 'fields to mend')}
            </span>
            <span className={controls.help}>{taskCount === null ? '' : plural(taskCount, 'task')}</span>
          </span>
        </button>
      ),
    };
  });
  return (
    <section className={controls.panel} aria-label="Stages">
      <div className={controls.panelHead}>
        <h2>{plural(stages.length, 'stage')}</h2>
        <span className={controls.help}>each waits for those to its left; choose one to see and change it below</span>
      </div>
      <CardGraph cards={cards} edges={graph.edges} />
    </section>
  );
}
