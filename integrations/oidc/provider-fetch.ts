/** A description, keys or tokens of somebody with a thousand groups have a tenth of it. */
const largestAnswer = 1_048_576;

type Asked = { readonly [Part in 'method' | 'headers' | 'body' | 'signal']?: RequestInit[Part] | undefined };

/**
 * Asks the identity provider, as `fetch` does, and reads its answer to the end, unless that is larger than any should be: then the rest is not read. The time
 * that the caller's signal gives is for all of it. Redirects are followed by nobody: what it is asked may hold a secret.
 */
export async function fetchOfProvider(url: string | URL, options: Asked): Promise<Response> {
  const { method = 'GET', headers: given = {}, body: sent = null, signal } = options;
  const response = await fetch(url, { method, headers: given, body: sent, signal: signal ?? null, redirect: 'manual' });
  const { status, statusText, headers, body } = response;
  const bytes = body && (await readWhole(body));
  return new Response(bytes?.length ? bytes : null, { status, statusText, headers });
}

async function readWhole(body: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  // Of what was packed the unpacked bytes are counted. Leaving the loop ends the connection.
  for await (const part of body) {
    length += part.length;
    if (length > largestAnswer) throw new Error(`the identity provider answers with more than ${largestAnswer} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts, length);
}
