import { crc32, deflateRawSync } from 'node:zlib';

/** An entry of a hand-made zip; everything that a liar would change can be set. */
export interface RawEntry {
  readonly name: string | Buffer;
  readonly data?: Buffer | string;
  readonly stored?: boolean;
  /** Unix mode with the file type, for example 0o120777 for a link. */
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
  /** What the headers say instead of the truth. */
  readonly declaredBytes?: number;
  readonly crc?: number;
  /** Offset of another entry's local header, of which this entry claims the bytes. */
  readonly sharesWith?: number;
}

const UTF8 = 0x800;

/** Makes a zip byte by byte, with none of the care that a zip program takes. */
export function rawZip(entries: readonly RawEntry[], declaredEntries = entries.length): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.isBuffer(entry.name) ? entry.name : Buffer.from(entry.name);
    const data = Buffer.from(entry.data ?? '');
    const packed = entry.stored === true ? data : deflateRawSync(data);
    const fields = headerFields(entry, data, packed, name);
    const at = entry.sharesWith === undefined ? offset : (offsets[entry.sharesWith] ?? 0);
    offsets.push(at);
    if (entry.sharesWith === undefined) {
      parts.push(Buffer.from([0x50, 0x4b, 3, 4]), fields, name, packed);
      offset += 4 + fields.length + name.length + packed.length;
    }
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 6);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.from([0x50, 0x4b, 1, 2, 20, 3]), fields, tail, name);
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(declaredEntries, 8);
  end.writeUInt16LE(declaredEntries, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

/** The 26 bytes that the local and the central header have in common. */
function headerFields(entry: RawEntry, data: Buffer, packed: Buffer, name: Buffer): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(entry.flags ?? UTF8, 2);
  fields.writeUInt16LE(entry.method ?? (entry.stored === true ? 0 : 8), 4);
  fields.writeUInt16LE(0x21, 8);
  fields.writeUInt32LE(entry.crc ?? crc32(data), 10);
  fields.writeUInt32LE(packed.length, 14);
  fields.writeUInt32LE(entry.declaredBytes ?? data.length, 18);
  fields.writeUInt16LE(name.length, 22);
  return fields;
}
