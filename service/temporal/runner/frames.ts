import type { Readable } from 'node:stream';

/** More than any task needs: Temporal itself takes at most a few megabytes of a worker. */
const mostFrameBytes = 64 * 1024 * 1024;
const lengthBytes = 4;

/** A message with its length before it, for a pipe. */
export function framed(body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(lengthBytes + body.length);
  frame.writeUInt32BE(body.length);
  frame.set(body, lengthBytes);
  return frame;
}

/** Calls `heard` with each message of a pipe, and `wrong` once if one claims to be longer than any may be. */
export function readFrames(from: Readable, heard: (body: Buffer) => void, wrong: () => void): void {
  let parts: Buffer[] = [];
  let bytes = 0;
  let wanted: number | undefined;
  const take = (count: number): Buffer => {
    const all = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
    bytes -= count;
    parts = bytes > 0 ? [all.subarray(count)] : [];
    return all.subarray(0, count);
  };
  const hear = (part: Buffer): unknown => {
    parts.push(part);
    bytes += part.length;
    for (;;) {
      if (wanted === undefined) {
        if (bytes < lengthBytes) return;
        wanted = take(lengthBytes).readUInt32BE();
        if (wanted > mostFrameBytes) {
          from.off('data', hear);
          return wrong();
        }
      }
      if (bytes < wanted) return;
      const body = take(wanted);
      wanted = undefined;
      heard(body);
    }
  };
  from.on('data', hear);
}

/** An answer of the runner: JSON, then bytes. It is written by code that nobody trusts, so nothing in it may become an object with behaviour. */
export function answerFrame(head: unknown, bytes: Uint8Array = new Uint8Array()): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const body = Buffer.allocUnsafe(lengthBytes + text.length + bytes.length);
  body.writeUInt32BE(text.length);
  body.set(text, lengthBytes);
  body.set(bytes, lengthBytes + text.length);
  return framed(body);
}

/** @throws SyntaxError, RangeError if it is no answer */
export function answerIn(body: Buffer): { readonly head: unknown; readonly bytes: Buffer } {
  const end = lengthBytes + body.readUInt32BE();
  return { head: JSON.parse(body.toString('utf8', lengthBytes, end)), bytes: body.subarray(end) };
}
