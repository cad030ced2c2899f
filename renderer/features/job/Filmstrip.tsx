import { useVirtualizer } from '@tanstack/react-virtual';
import { ImageOff } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import type { OutputView } from '../../../shared/view.ts';
import { useClient } from '../../client/client.ts';
import css from './Filmstrip.module.css';
import { thumbnail } from './output-files.ts';

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

function Thumbnail({ output }: { readonly output: OutputView }) {
  const client = useClient();
  const [address, setAddress] = useState<string | null>(null);
  const [isNone, setNone] = useState(false);
  useEffect(() => {
    let isGone = false;
    // What is no picture keeps an empty frame; the viewer says why.
    thumbnail(client, output).then(
      (made) => isGone || setAddress(made),
      () => isGone || setNone(true),
    );
    return () => {
      isGone = true;
    };
  }, [client, output]);
  return (
    <span className={css.thumbnail}>
      {address !== null && <img src={address} alt="" />}
      {isNone && <ImageOff aria-hidden />}
    </span>
  );
}
