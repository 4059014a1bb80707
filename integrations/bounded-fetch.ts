/**
 * Like `fetch`, but reads the answer to its end, unless it exceeds `atMost`: then the rest is not read, and the connection is closed. The timeout in the signal
 * of `init` covers all of it.
 * @throws what `fetch` throws; RangeError for an answer of more bytes than `atMost`
 */
export async function boundedFetch(input: string | URL | Request, init: RequestInit, atMost: number): Promise<Response> {
  const { status, statusText, headers, body } = await fetch(input, init);
  const bytes = body && (await readWhole(body, atMost));
  return new Response(bytes?.length ? bytes : null, { status, statusText, headers });
}

async function readWhole(body: ReadableStream<Uint8Array>, atMost: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  // Compressed answers are counted by their uncompressed bytes. Leaving the loop closes the connection.
  for await (const part of body) {
    length += part.length;
    if (length > atMost) throw new RangeError(`the answer is larger than ${atMost} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts, length);
}
