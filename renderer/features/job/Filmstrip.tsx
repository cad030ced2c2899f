import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef } from 'react';
import type { OutputView } from '../../../shared/view.ts';
import css from './Filmstrip.module.css';
import { Thumbnail } from './Thumbnail.tsx';

/** The width of a frame and the gap after it, in pixels. */
const FRAME_PIXELS = 110;

interface FilmstripProps {
  readonly pictures: readonly OutputView[];
  readonly current: OutputView | null;
  readonly onChoose: (output: OutputView) => void;
}

/** All pictures in a row, of which only those in sight exist. */
export function Filmstrip({ pictures, current, onChoose }: FilmstripProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: pictures.length,
    horizontal: true,
    getScrollElement: () => scroller.current,
    estimateSize: () => FRAME_PIXELS,
    overscan: 6,
  });
  const at = current === null ? -1 : pictures.indexOf(current);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: 'auto' });
  }, [virtual, at]);
  return (
    <div ref={scroller} className={css.strip}>
      <ul aria-label="Pictures" style={{ width: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const picture = pictures[index] as OutputView;
          return (
            <li
              key={`${picture.task}/${picture.path}`}
              style={{ transform: `translateX(${start}px)` }}
              aria-setsize={pictures.length}
              aria-posinset={index + 1}
            >
              <button
                type="button"
                className={css.frame}
                aria-label={`Show ${picture.path}`}
                aria-pressed={picture === current}
                onClick={() => onChoose(picture)}
              >
                <Thumbnail output={picture} />
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
