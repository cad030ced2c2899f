import Vips from 'wasm-vips';
import { LIMITS } from '../../../shared/limits.ts';
import { readExr } from './exr.ts';

/**
 * Decodes pictures of unknown origin. All formats but EXR are read by libvips compiled to WebAssembly, so that a fault in one of
 * its decoders reaches the memory of that module and nothing of this program; EXR is read in JavaScript.
 */
export interface Decoder {
  /**
   * @param edge the longer side of the copy, in pixels; a smaller picture keeps its size
   * @returns WebP
   * @throws Error for what is no picture of a known format, is damaged, or has more pixels than `LIMITS.thumbnailPixels`
   */
  thumbnail(bytes: Uint8Array, edge: number): Uint8Array<ArrayBuffer>;
}

type VipsModule = typeof Vips;
type Format = 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff' | 'exr';

const QUALITY = 82;

export async function openDecoder(): Promise<Decoder> {
  const vips = await Vips({
    dynamicLibraries: [],
    preRun: (module: { ENV: Record<string, string> }) => {
      // What it says of damaged files comes as an error; its warnings would only fill this program's log.
      module.ENV.VIPS_WARNING = '0';
    },
  });
  vips.concurrency(1);
  vips.Cache.max(0);
  return {
    thumbnail(bytes, edge) {
      const format = formatOf(bytes);
      if (format === undefined) throw new Error('this is no picture of a known format');
      const source = format === 'exr' ? fromExr(vips, bytes) : open(vips, format, bytes);
      let made: InstanceType<VipsModule['Image']> | undefined;
      try {
        const size = { height: edge, size: 'down' } as const;
        made = format === 'exr' ? source.thumbnailImage(edge, size) : vips.Image.thumbnailBuffer(bytes, edge, size);
        return new Uint8Array(made.writeToBuffer('.webp', { Q: QUALITY, keep: 'none' }));
      } finally {
        made?.delete();
        source.delete();
      }
    },
  };
}

/** By its first bytes: neither its name nor the many formats that libvips would try are believed. */
function formatOf(bytes: Uint8Array): Format | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(16, bytes.byteLength)).toString('latin1');
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (head.startsWith('GIF8')) return 'gif';
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP') return 'webp';
  if (/^(II[*+]\0|MM\0[*+])/.test(head)) return 'tiff';
  return head.startsWith('\x76\x2f\x31\x01') ? 'exr' : undefined;
}

/** Reads the header only; the pixels are decoded when they are asked for. */
function open(vips: VipsModule, format: Exclude<Format, 'exr'>, bytes: Uint8Array): InstanceType<VipsModule['Image']> {
  const options = { access: 'sequential', fail_on: 'error' } as const;
  const load = {
    png: vips.Image.pngloadBuffer,
    jpeg: vips.Image.jpegloadBuffer,
    webp: vips.Image.webploadBuffer,
    gif: vips.Image.gifloadBuffer,
    tiff: vips.Image.tiffloadBuffer,
  }[format];
  const image = load(bytes, options);
  if (image.width * image.height <= LIMITS.thumbnailPixels) return image;
  image.delete();
  throw new Error(`this picture has more than ${LIMITS.thumbnailPixels} pixels`);
}

function fromExr(vips: VipsModule, bytes: Uint8Array): InstanceType<VipsModule['Image']> {
  const { width, height, bands, pixels } = readExr(bytes);
  const raw = vips.Image.newFromMemory(pixels, width, height, bands, vips.BandFormat.uchar);
  const image = raw.copy({ interpretation: bands === 1 ? 'b-w' : 'srgb' });
  raw.delete();
  return image;
}
