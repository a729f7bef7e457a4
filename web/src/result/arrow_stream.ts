// Reads an Arrow IPC stream as it arrives.
//
// The stream is a row of messages (Arrow Columnar Format, "Encapsulated message format"):
//   ff ff ff ff | int32 n | n bytes of flatbuffer Message | bodyLength bytes
// and its end is a message with n = 0. Without that mark a stream is not whole: what looks like a
// result may be half of one.
import { tableFromIPC, type Table } from "@uwdata/flechette";

const kContinuation = 0xffffffff;
const kMetadataBytesMax = 64 << 20;
const kBodyBytesMax = 2 ** 31;

// Field numbers of the flatbuffer table Message, as offsets into its vtable.
const kHeaderType = 6;
const kBodyLength = 10;

const kSchema = 1;
const kDictionaryBatch = 2;
const kRecordBatch = 3;

export class ArrowStreamError extends Error {}

function readMessage(metadata: DataView): { type: number; bodyBytes: number } {
  const table = metadata.getUint32(0, true);
  const vtable = table - metadata.getInt32(table, true);
  const vtableBytes = metadata.getUint16(vtable, true);
  const field = (slot: number) => {
    const offset = slot < vtableBytes ? metadata.getUint16(vtable + slot, true) : 0;
    return offset === 0 ? null : table + offset;
  };
  const type = field(kHeaderType);
  const body = field(kBodyLength);
  return {
    type: type === null ? 0 : metadata.getUint8(type),
    bodyBytes: body === null ? 0 : Number(metadata.getBigInt64(body, true)),
  };
}

export class ArrowStreamReader {
  private buffer = new Uint8Array(1 << 16);
  private start = 0;
  private end = 0;
  private ended = false;
  private schema: Uint8Array | null = null;
  private dictionaries: Uint8Array[] = [];

  // Takes the next bytes; gives a table for each batch that is now whole. The first table has the
  // schema and no rows.
  push(bytes: Uint8Array): Table[] {
    this.append(bytes);
    const tables: Table[] = [];
    try {
      for (let message = this.next(); message; message = this.next()) {
        const table = this.take(message.type, message.bytes);
        if (table) tables.push(table);
      }
    } catch (error) {
      if (error instanceof ArrowStreamError) throw error;
      throw new ArrowStreamError(`The result is not an Arrow stream: ${String(error)}`);
    }
    return tables;
  }

  // Whether the end mark has come.
  get whole(): boolean {
    return this.ended;
  }

  private append(bytes: Uint8Array) {
    if (this.end + bytes.length > this.buffer.length) {
      const kept = this.buffer.subarray(this.start, this.end);
      const needed = kept.length + bytes.length;
      const target = needed > this.buffer.length ? new Uint8Array(needed * 2) : this.buffer;
      if (target === this.buffer) this.buffer.copyWithin(0, this.start, this.end);
      else target.set(kept);
      this.end -= this.start;
      this.start = 0;
      this.buffer = target;
    }
    this.buffer.set(bytes, this.end);
    this.end += bytes.length;
  }

  private next(): { type: number; bytes: Uint8Array } | null {
    const available = this.end - this.start;
    if (this.ended || available < 8) return null;
    const view = new DataView(this.buffer.buffer, this.start, available);
    if (view.getUint32(0, true) !== kContinuation) {
      throw new ArrowStreamError(
        "The result is not an Arrow stream: a message begins with other bytes than ff ff ff ff.",
      );
    }
    const metadataBytes = view.getInt32(4, true);
    if (metadataBytes === 0) {
      this.ended = true;
      return null;
    }
    if (metadataBytes < 0 || metadataBytes > kMetadataBytesMax) {
      throw new ArrowStreamError(
        `The result is not an Arrow stream: a message claims ${metadataBytes} bytes of metadata.`,
      );
    }
    if (available < 8 + metadataBytes) return null;
    const { type, bodyBytes } = readMessage(
      new DataView(this.buffer.buffer, this.start + 8, metadataBytes),
    );
    if (bodyBytes < 0 || bodyBytes > kBodyBytesMax) {
      throw new ArrowStreamError(
        `The result is not an Arrow stream: a message claims ${bodyBytes} bytes of data.`,
      );
    }
    const total = 8 + metadataBytes + bodyBytes;
    if (available < total) return null;
    // Its own copy, which also begins where every kind of typed array may begin.
    const bytes = this.buffer.slice(this.start, this.start + total);
    this.start += total;
    return { type, bytes };
  }

  private take(type: number, bytes: Uint8Array): Table | null {
    switch (type) {
      case kSchema:
        this.schema = bytes;
        return this.decode([]);
      case kDictionaryBatch:
        this.dictionaries.push(bytes);
        return null;
      case kRecordBatch:
        return this.decode([bytes]);
      default:
        return null;
    }
  }

  private decode(batches: Uint8Array[]): Table {
    if (!this.schema)
      throw new ArrowStreamError("The result is not an Arrow stream: data came before the schema.");
    return tableFromIPC([this.schema, ...this.dictionaries, ...batches], {
      useBigInt: true,
      useDecimalInt: true,
    });
  }
}
