import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef, useSyncExternalStore } from 'react';
import UPlot from 'uplot';
import { useNode } from '../../store/farm-store.ts';
import { latestSample, nodeHistory, type Sample } from '../../store/node-history.ts';
import { formatTime } from '../../ui/format.ts';
import css from './NodeCharts.module.css';

interface Chart {
  readonly title: string;
  readonly unit: string;
  readonly value: (sample: Sample) => number;
  /** The top of the scale; null: as high as the values. */
  readonly most: number | null;
  readonly token: string;
}

const CHARTS: readonly Chart[] = [
  { title: 'CPU', unit: '%', value: (sample) => sample.cpuPercent, most: 100, token: '--state-running' },
  { title: 'Memory', unit: '%', value: (sample) => sample.ramPercent, most: 100, token: '--state-completed' },
  { title: 'Tasks at once', unit: '', value: (sample) => sample.slotsUsed, most: null, token: '--state-timed-out' },
  { title: 'Files moved', unit: 'MB/s', value: (sample) => sample.transferMegabytes, most: null, token: '--state-cancelled' },
];
const HEIGHT = 120;
const LEAST_SECONDS = 60;

/** What the node measured, drawn anew with each of its reports. */
export function NodeCharts({ node }: { readonly node: string }) {
  const theme = useSyncExternalStore(watchTheme, () => document.documentElement.dataset.theme ?? '');
  return (
    <div className={css.charts}>
      {CHARTS.map((chart) => (
        <ChartBox key={chart.title + theme} node={node} chart={chart} />
      ))}
    </div>
  );
}

function watchTheme(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => observer.disconnect();
}

function ChartBox({ node, chart }: { readonly node: string; readonly chart: Chart }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const report = useNode(node);
  const latest = latestSample(node);
  const figure = latest === undefined ? '–' : `${chart.value(latest).toFixed(chart.unit === 'MB/s' ? 1 : 0)} ${chart.unit}`;

  useEffect(() => {
    const element = place.current as HTMLDivElement;
    const made = new UPlot(optionsFor(chart, element), dataOf(node, chart), element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [node, chart]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each report of the node is a new object
  useEffect(() => plot.current?.setData(dataOf(node, chart)), [node, chart, report]);
  return (
    <figure className={css.chart}>
      <figcaption>
        {chart.title} <strong>{figure.trim()}</strong>
      </figcaption>
      <div ref={place} aria-hidden />
    </figure>
  );
}

function dataOf(node: string, chart: Chart): UPlot.AlignedData {
  const history = nodeHistory(node);
  return [history.map((sample) => sample.time), history.map(chart.value)];
}

function optionsFor(chart: Chart, element: HTMLElement): UPlot.Options {
  const style = getComputedStyle(element);
  const colour = style.getPropertyValue(chart.token);
  const axis: UPlot.Axis = {
    stroke: style.getPropertyValue('--text-faint'),
    grid: { stroke: style.getPropertyValue('--line'), width: 1 },
    ticks: { show: false },
    font: `10px ${style.fontFamily}`,
  };
  return {
    width: Math.max(100, element.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    // At least a minute, so that the first samples do not fill the whole width.
    scales: {
      x: { range: (_, least, most) => [Math.min(least, most - LEAST_SECONDS), most] },
      y: { range: (_, _least, most) => [0, chart.most ?? Math.max(1, most * 1.15)] },
    },
    axes: [
      { ...axis, size: 22, space: 90, grid: { show: false }, values: (_, splits) => splits.map((seconds) => formatTime(seconds * 1_000)) },
      { ...axis, size: 34, space: 34 },
    ],
    series: [{}, { stroke: colour, width: 1.5, fill: `${colour}26`, points: { show: false } }],
  };
}
