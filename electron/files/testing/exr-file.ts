const text = (value: string) => Buffer.from(`${value}\0`, 'latin1');

function attribute(name: string, type: string, value: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(value.length);
  return Buffer.concat([text(name), text(type), size, value]);
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeInt32LE(value, index * 4);
  return bytes;
}

/**
 * An uncompressed OpenEXR file of scan lines with half floats. https://openexr.com/en/latest/OpenEXRFileLayout.html
 * @param red by column and row, as the bits of a half float; green and blue are 0
 */
export function exrFile(width: number, height: number, red: (x: number, y: number) => number): Buffer {
  const channel = (name: string) => Buffer.concat([text(name), numbers(1, 0, 1, 1)]);
  const window = numbers(0, 0, width - 1, height - 1);
  const header = Buffer.concat([
    Buffer.from([0x76, 0x2f, 0x31, 0x01, 2, 0, 0, 0]),
    attribute('channels', 'chlist', Buffer.concat([channel('B'), channel('G'), channel('R'), Buffer.from([0])])),
    attribute('compression', 'compression', Buffer.from([0])),
    attribute('dataWindow', 'box2i', window),
    attribute('displayWindow', 'box2i', window),
    attribute('lineOrder', 'lineOrder', Buffer.from([0])),
    Buffer.from([0]),
  ]);
  const lineBytes = 8 + width * 6;
  const offsets = Buffer.alloc(height * 8);
  const lines = Buffer.alloc(height * lineBytes);
  for (let y = 0; y < height; y += 1) {
    const at = y * lineBytes;
    offsets.writeBigUInt64LE(BigInt(header.length + offsets.length + at), y * 8);
    lines.writeInt32LE(y, at);
    lines.writeUInt32LE(width * 6, at + 4);
    for (let x = 0; x < width; x += 1) lines.writeUInt16LE(red(x, y), at + 8 + width * 4 + x * 2);
  }
  return Buffer.concat([header, offsets, lines]);
}
