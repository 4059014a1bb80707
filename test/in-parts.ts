/** Bytes as they arrive from a connection: part by part. */
export async function* inParts(bytes: Uint8Array, size = 1_000_000): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}
