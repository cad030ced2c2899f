import type { LanyardClient } from '../../../shared/lanyard-client.ts';
import { LIMITS } from '../../../shared/limits.ts';
import type { OutputView } from '../../../shared/view.ts';

/** `still`: a picture that the coordinator can read and a browser cannot. */
export type OutputKind = 'picture' | 'still' | 'video' | 'text' | 'other';

const PICTURES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
};
const STILLS = new Set(['exr', 'tif', 'tiff']);
const VIDEOS: Readonly<Record<string, string>> = {
  mp4: 'video/mp4',
  m4v: 'video/mp4',
  webm: 'video/webm',
  mov: 'video/mp4',
  ogv: 'video/ogg',
};
const TEXTS = new Set([
  'txt',
  'log',
  'json',
  'csv',
  'md',
  'xml',
  'yaml',
  'yml',
  'toml',
  'ini',
  'out',
  'err',
  'diff',
  'patch',
  'ass',
  'srt',
]);

/** Larger videos are saved instead of shown. */
const VIDEO_BYTES = 512 * 1024 * 1024;
/** Of a larger picture the coordinator's copy is shown instead of the file itself. */
const WHOLE_PICTURE_BYTES = 24 * 1024 * 1024;
export const TEXT_BYTES = 64 * 1024;
/** Thumbnails kept, and asked for at once. */
const KEPT = 600;
const AT_ONCE = 4;

/** What a file can be shown as, by its name: what its maker says of it is not believed any further. */
export function outputKind({ path, bytes }: Pick<OutputView, 'path' | 'bytes'>): OutputKind {
  const ending = path.split('.').at(-1)?.toLowerCase() ?? '';
  if (Object.hasOwn(PICTURES, ending) && bytes <= WHOLE_PICTURE_BYTES) return 'picture';
  if ((Object.hasOwn(PICTURES, ending) || STILLS.has(ending)) && bytes <= LIMITS.thumbnailSourceBytes) return 'still';
  if (Object.hasOwn(VIDEOS, ending) && bytes <= VIDEO_BYTES) return 'video';
  return TEXTS.has(ending) ? 'text' : 'other';
}

/** A picture or video as bytes that the browser shows. */
export async function readMedia(client: LanyardClient, output: OutputView): Promise<Blob> {
  if (outputKind(output) === 'still') return new Blob([await client.readThumbnail(output, 'large')], { type: 'image/webp' });
  const ending = output.path.split('.').at(-1)?.toLowerCase() ?? '';
  const bytes = await client.readOutput(output, Math.max(1, output.bytes));
  return new Blob([bytes], { type: PICTURES[ending] ?? VIDEOS[ending] ?? 'application/octet-stream' });
}

const thumbnails = new Map<string, Promise<string>>();
const waiting: (() => void)[] = [];
let reading = 0;

/** The address of a small copy of a picture, asked for once; the oldest are forgotten. Rejects for what is no picture. */
export function thumbnail(client: LanyardClient, output: OutputView): Promise<string> {
  const known = thumbnails.get(output.blob);
  if (known !== undefined) return known;
  const made = readThumbnail(client, output);
  thumbnails.set(output.blob, made);
  made.catch(() => thumbnails.delete(output.blob));
  for (const [oldest, address] of thumbnails) {
    if (thumbnails.size <= KEPT) break;
    thumbnails.delete(oldest);
    address.then(URL.revokeObjectURL, () => {});
  }
  return made;
}

async function readThumbnail(client: LanyardClient, output: OutputView): Promise<string> {
  if (reading >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  reading += 1;
  try {
    return URL.createObjectURL(new Blob([await client.readThumbnail(output, 'small')], { type: 'image/webp' }));
  } finally {
    reading -= 1;
    waiting.shift()?.();
  }
}
