/** The entries of one file; undefined if it is not an entry file. */
export function parseEntries(bytes: Uint8Array): readonly string[] | undefined {
  const entries: string[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    if (at + 2 > bytes.length) return undefined;
    const end = at + 2 + view.getUint16(at);
    if (end > bytes.length) return undefined;
    entries.push(new TextDecoder().decode(bytes.subarray(at + 2, end)));
    at = end;
  }
  return entries;
}
