import parseExr from 'parse-exr';
import { LIMITS } from '../../../shared/limits.ts';

/** A picture in eight bits a channel, ready to be looked at. */
export interface ExrPicture {
  readonly width: number;
  readonly height: number;
  /** Grey or red, green, blue. */
  readonly bands: 1 | 3;
  readonly pixels: Uint8Array;
}

const HALF_FLOAT = 1016;
const RED_ONLY = 1028;

/**
 * Reads the colours of an OpenEXR file as a screen shows them: linear light is clipped at 1 and given the curve of sRGB.
 * @throws Error when it is damaged, too large, of several parts, or has neither R, G and B nor Y
 */
export function readExr(file: Uint8Array): ExrPicture {
  const size = exrSize(file);
  if (size.width < 1 || size.height < 1 || size.width * size.height > LIMITS.thumbnailExrPixels)
    throw new Error(`an EXR picture of ${size.width} x ${size.height} pixels is not read`);
  const { width, height, data, format } = parseExr(new Uint8Array(file).buffer, HALF_FLOAT);
  const bands = format === RED_ONLY ? 1 : 3;
  const stride = format === RED_ONLY ? 1 : 4;
  const curve = halfToByte();
  const pixels = new Uint8Array(width * height * bands);
  let to = 0;
  // The decoder puts the lowest row first.
  for (let row = height - 1; row >= 0; row -= 1)
    for (let at = row * width * stride; at < (row + 1) * width * stride; at += stride)
      for (let band = 0; band < bands; band += 1) pixels[to++] = curve[data[at + band] as number] as number;
  return { width, height, bands, pixels };
}

/**
 * The size that the header names, read before the decoder makes room for it: a few bytes can name any size.
 * https://openexr.com/en/latest/OpenEXRFileLayout.html
 */
function exrSize(file: Uint8Array): { readonly width: number; readonly height: number } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 8;
  const text = () => {
    const end = file.indexOf(0, at);
    if (end < 0 || end - at > 255) throw new Error('the header of the EXR file is damaged');
    const found = Buffer.from(file.subarray(at, end)).toString('latin1');
    at = end + 1;
    return found;
  };
  for (;;) {
    const name = text();
    if (name === '') throw new Error('the EXR file names no size');
    text();
    const bytes = view.getUint32(at, true);
    at += 4;
    if (name === 'dataWindow' && bytes === 16) {
      const edge = (index: number) => view.getInt32(at + index * 4, true);
      return { width: edge(2) - edge(0) + 1, height: edge(3) - edge(1) + 1 };
    }
    at += bytes;
  }
}

let table: Uint8Array | undefined;

/** A byte of sRGB for every half float: IEEE 754 binary16, and the curve of IEC 61966-2-1. */
function halfToByte(): Uint8Array {
  if (table !== undefined) return table;
  table = new Uint8Array(65_536);
  for (let half = 0; half < 0x8000; half += 1) {
    const exponent = half >> 10;
    const fraction = half & 0x3ff;
    // Infinity is as bright as it gets; what is no number is black, as everything below zero.
    const linear =
      exponent === 31 ? (fraction === 0 ? 1 : 0) : exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1_024) * 2 ** (exponent - 15);
    const clipped = Math.min(1, linear);
    table[half] = Math.round(255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055));
  }
  return table;
}
