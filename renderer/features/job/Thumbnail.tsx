import { ImageOff } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { OutputView } from '../../../shared/view.ts';
import { useClient } from '../../client/client.ts';
import { thumbnail } from './output-files.ts';
import css from './Thumbnail.module.css';

/** A small copy of an output that is a picture. */
export function Thumbnail({ output }: { readonly output: OutputView }) {
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
