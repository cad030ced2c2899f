import { Pause, Play, Trash2, TrendingDown } from 'lucide-react';
import { useState } from 'react';
import type { NodeView } from '../../../shared/view.ts';
import { go } from '../../app/router.ts';
import { useClient } from '../../client/client.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { Confirm, controls, Meter, type Question } from '../../ui/controls.tsx';
import { formatCount, formatMemory } from '../../ui/format.ts';
import { STATUS_LOOKS } from './node-text.ts';

export function StatusChip({ status }: { readonly status: NodeView['status'] }) {
  const { word, colour, icon: Icon } = STATUS_LOOKS[status];
  return (
    <span className={controls.chip}>
      <Icon aria-hidden style={{ color: `color-mix(in srgb, ${colour} 82%, var(--text))` }} />
      {word}
    </span>
  );
}

/** How much of the node is in use: as measured where it reports, and the slots that are taken. */
export function NodeMeters({ node }: { readonly node: NodeView }) {
  const { metrics, used, description } = node;
  const gpu = metrics?.gpus[0];
  return (
    <div>
      <Meter label="CPU" share={(metrics?.cpuPercent ?? 0) / 100} figure={metrics === null ? '–' : `${Math.round(metrics.cpuPercent)} %`} />
      <Meter
        label="RAM"
        share={metrics === null || metrics.ramTotalMb === 0 ? 0 : 1 - metrics.ramFreeMb / metrics.ramTotalMb}
        figure={metrics === null ? '–' : formatMemory(metrics.ramTotalMb - metrics.ramFreeMb)}
      />
      {gpu !== undefined && <Meter label="GPU" share={gpu.loadPercent / 100} figure={`${Math.round(gpu.loadPercent)} %`} />}
      <Meter
        label="Tasks"
        share={used.slots / description.maxParallel}
        figure={`${formatCount(used.slots)} / ${formatCount(description.maxParallel)}`}
      />
    </div>
  );
}

/** Pause, drain, resume, remove: for administrators. */
export function NodeActions({ node }: { readonly node: NodeView }) {
  const client = useClient();
  const [question, setQuestion] = useState<Question | null>(null);
  const { id, name } = node.description;
  const set = (availability: 'available' | 'draining' | 'paused', done: string) =>
    void client.call('updateNode', { params: { node: id }, body: { availability } }).then(
      () => toastDone(`${name}: ${done}`),
      (error: unknown) => toastError(`Change ${name}`, error),
    );
  const remove = () =>
    void client.call('removeNode', { params: { node: id } }).then(
      () => {
        toastDone(`Removed ${name}`);
        go({ name: 'farm' });
      },
      (error: unknown) => toastError(`Remove ${name}`, error),
    );
  const isHeldBack = node.availability === 'paused' || node.availability === 'draining';
  return (
    <>
      {isHeldBack ? (
        <button type="button" className={controls.button} onClick={() => set('available', 'takes work again')}>
          <Play aria-hidden /> Resume
        </button>
      ) : (
        <>
          <button type="button" className={controls.button} onClick={() => set('paused', 'paused')}>
            <Pause aria-hidden /> Pause
          </button>
          <button type="button" className={controls.button} onClick={() => set('draining', 'finishes what runs and takes no more')}>
            <TrendingDown aria-hidden /> Drain
          </button>
        </>
      )}
      <button
        type="button"
        className={controls.danger}
        onClick={() =>
          setQuestion({
            title: `Remove ${name}?`,
            detail: 'The farm forgets it, and what it runs goes back to the queue. It comes back when its worker connects again.',
            verb: 'Remove',
            run: remove,
          })
        }
      >
        <Trash2 aria-hidden /> Remove
      </button>
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </>
  );
}
