import type { LanyardClient } from '../../../shared/lanyard-client.ts';
import type { OutputView } from '../../../shared/view.ts';

export type OutputKind = 'picture' | 'video' | 'text' | 'other';

const PICTURES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
};
const VIDEOS: Readonly<Record<string, string>> = { mp4: 'video/mp4', webm: 'video/webm' };
const TEXTS = new Set(['txt', 'log', 'json', 'csv', 'md', 'xml', 'yaml', 'yml', 'toml', 'ini', 'out', 'err']);

/** Larger pictures and videos are saved instead of shown. */
const SHOWN_BYTES: Readonly<Record<'picture' | 'video', number>> = { picture: 48 * 1024 * 1024, video: 512 * 1024 * 1024 };
export const TEXT_BYTES = 64 * 1024;
const THUMBNAIL_PIXELS = 192;
/** Thumbnails kept, and pictures read at once. */
const KEPT = 600;
const AT_ONCE = 3;

/** What a file can be shown as, by its name: what its maker says of it is not believed any further. */
export function outputKind({ path, bytes }: OutputView): OutputKind {
  const ending = path.split('.').at(-1)?.toLowerCase() ?? '';
  if (ending in PICTURES && bytes <= SHOWN_BYTES.picture) return 'picture';
  if (ending in VIDEOS && bytes <= SHOWN_BYTES.video) return 'video';
  return TEXTS.has(ending) ? 'text' : 'other';
}

/** The whole of a picture or video, as bytes that the browser shows. */
export async function readMedia(client: LanyardClient, output: OutputView): Promise<Blob> {
  const ending = output.path.split('.').at(-1)?.toLowerCase() ?? '';
  const bytes = await client.readOutput(output, Math.max(1, output.bytes));
  return new Blob([bytes], { type: PICTURES[ending] ?? VIDEOS[ending] ?? 'application/octet-stream' });
}

const thumbnails = new Map<string, Promise<string>>();
const waiting: (() => void)[] = [];
let reading = 0;

/** The address of a small copy of a picture, made once; the oldest are forgotten. Rejects for what is no picture. */
export function thumbnail(client: LanyardClient, output: OutputView): Promise<string> {
  const known = thumbnails.get(output.blob);
  if (known !== undefined) return known;
  const made = makeThumbnail(client, output);
  thumbnails.set(output.blob, made);
  made.catch(() => thumbnails.delete(output.blob));
  for (const [oldest, address] of thumbnails) {
    if (thumbnails.size <= KEPT) break;
    thumbnails.delete(oldest);
    address.then(URL.revokeObjectURL, () => {});
  }
  return made;
}

async function makeThumbnail(client: LanyardClient, output: OutputView): Promise<string> {
  if (reading >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  reading += 1;
  try {
    const whole = await createImageBitmap(await readMedia(client, output));
    const scale = Math.min(1, THUMBNAIL_PIXELS / Math.max(whole.width, whole.height));
    const small = new OffscreenCanvas(Math.max(1, Math.round(whole.width * scale)), Math.max(1, Math.round(whole.height * scale)));
    small.getContext('2d')?.drawImage(whole, 0, 0, small.width, small.height);
    whole.close();
    return URL.createObjectURL(await small.convertToBlob({ type: 'image/webp', quality: 0.8 }));
  } finally {
    reading -= 1;
    waiting.shift()?.();
  }
}
