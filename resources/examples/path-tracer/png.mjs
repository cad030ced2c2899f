import * as zlib from 'node:zlib';

/**
 * A small PNG writer and reader (8 bits, RGB, not interlaced) and a contact sheet made of such images.
 * Format: "Portable Network Graphics (PNG) Specification", W3C Recommendation.
 *
 * An image is `{ width, height, pixels }` with `pixels` a Uint8Array of `width * height * 3` bytes, row by row from the top.
 */
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const MAX_SIDE = 16_384;
const CHANNELS = 3;

/** @returns the bytes of a PNG file. The same image gives the same bytes with the same zlib. */
export function encodePng(image) {
  const { width, height } = image;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // bits, colour type RGB, deflate, filter method 0, no interlace
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', zlib.deflateSync(filterRows(image), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/**
 * @param bytes a PNG of 8 bits RGB without interlace, as `encodePng` writes it
 * @returns the image
 * @throws Error when it is another kind of file or is damaged
 */
export function decodePng(bytes) {
  if (bytes.length < 8 || !SIGNATURE.equals(bytes.subarray(0, 8))) throw new Error('not a PNG file');
  const { header, data } = readChunks(bytes);
  if (header === undefined) throw new Error('the PNG has no header');
  const width = header.readUInt32BE(0);
  const height = header.readUInt32BE(4);
  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE)
    throw new Error(`the PNG is ${width}x${height}; at most ${MAX_SIDE} a side are read`);
  if (header[8] !== 8 || header[9] !== 2 || header[12] !== 0) throw new Error('only PNGs of 8 bits RGB without interlace are read');
  const stride = width * CHANNELS + 1;
  const rows = zlib.inflateSync(Buffer.concat(data), { maxOutputLength: stride * height });
  if (rows.length !== stride * height) throw new Error('the PNG ends too early');
  return { width, height, pixels: unfilterRows(rows, width, height) };
}

/**
 * Lays images of one size out in a grid on a dark ground.
 * @param images at least one, all of the size of the first
 * @param columns images in a row
 * @param gap pixels between them
 */
export function contactSheet(images, columns, gap = 4) {
  const first = images[0];
  if (first === undefined) throw new Error('a contact sheet needs at least one image');
  const rows = Math.ceil(images.length / columns);
  const width = columns * first.width + (columns + 1) * gap;
  const height = rows * first.height + (rows + 1) * gap;
  const pixels = new Uint8Array(width * height * CHANNELS).fill(18);
  for (const [position, image] of images.entries()) {
    if (image.width !== first.width || image.height !== first.height) throw new Error('the images of a contact sheet must be of one size');
    const left = gap + (position % columns) * (first.width + gap);
    const top = gap + Math.floor(position / columns) * (first.height + gap);
    for (let y = 0; y < image.height; y++) {
      const from = y * image.width * CHANNELS;
      pixels.set(image.pixels.subarray(from, from + image.width * CHANNELS), ((top + y) * width + left) * CHANNELS);
    }
  }
  return { width, height, pixels };
}

/** Every row filtered with "sub": neighbouring pixels are alike, and their differences compress well. */
function filterRows({ width, height, pixels }) {
  const stride = width * CHANNELS;
  const rows = Buffer.alloc((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    const to = y * (stride + 1) + 1;
    rows[to - 1] = 1;
    for (let x = 0; x < stride; x++) {
      const left = x < CHANNELS ? 0 : pixels[y * stride + x - CHANNELS];
      rows[to + x] = pixels[y * stride + x] - left;
    }
  }
  return rows;
}

function unfilterRows(rows, width, height) {
  const stride = width * CHANNELS;
  const pixels = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const left = x < CHANNELS ? 0 : pixels[y * stride + x - CHANNELS];
      const up = y === 0 ? 0 : pixels[(y - 1) * stride + x];
      const upLeft = x < CHANNELS || y === 0 ? 0 : pixels[(y - 1) * stride + x - CHANNELS];
      pixels[y * stride + x] = rows[y * (stride + 1) + 1 + x] + predict(filter, left, up, upLeft);
    }
  }
  return pixels;
}

function predict(filter, left, up, upLeft) {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4:
      return paeth(left, up, upLeft);
    default:
      throw new Error(`the PNG has a row with the unknown filter ${filter}`);
  }
}

/** Whichever neighbour is nearest to `left + up - upLeft`; ties in the order of the arguments. */
function paeth(left, up, upLeft) {
  const estimate = left + up - upLeft;
  const [toLeft, toUp, toUpLeft] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - upLeft)];
  if (toLeft <= toUp && toLeft <= toUpLeft) return left;
  return toUp <= toUpLeft ? up : upLeft;
}

function chunk(type, data) {
  const typeAndData = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const result = Buffer.alloc(data.length + 12);
  result.writeUInt32BE(data.length, 0);
  typeAndData.copy(result, 4);
  result.writeUInt32BE(crc32(typeAndData), data.length + 8);
  return result;
}

function readChunks(bytes) {
  const data = [];
  let header;
  let at = SIGNATURE.length;
  while (at + 12 <= bytes.length) {
    const end = at + 12 + bytes.readUInt32BE(at);
    if (end > bytes.length) throw new Error('the PNG ends too early');
    if (crc32(bytes.subarray(at + 4, end - 4)) !== bytes.readUInt32BE(end - 4)) throw new Error('the PNG is damaged: a checksum differs');
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'IHDR') header = bytes.subarray(at + 8, end - 4);
    if (type === 'IDAT') data.push(bytes.subarray(at + 8, end - 4));
    if (type === 'IEND') return { header, data };
    at = end;
  }
  throw new Error('the PNG ends too early');
}

/** The checksum of a chunk: CRC-32 (ISO 3309). Node has its own from 20.15 and 22.2 on. */
function crc32(bytes) {
  if (zlib.crc32 !== undefined) return zlib.crc32(bytes);
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}
