import axios, { type AxiosResponse } from 'axios';
import { FirebreakError, RetryLaterError } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { type NoteKey, type NoteSignature, pemOf, toBase64 } from '../../core/tlog/signed-note.ts';
import { retryAfterMs } from '../json-api.ts';

const client = axios.create({
  maxRedirects: 0,
  maxContentLength: 1_048_576,
  validateStatus: () => true,
  headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'User-Agent': 'firebreak' },
});

/** The location of an entry in a third party's log. */
interface RekorEntry {
  /** 64 or 80 hex digits. */
  readonly uuid: string;
}

/**
 * Adds a signed text to a log through Rekor's API (version 1), as an entry of the kind `rekord`: the text itself, its signature and the public key. The same
 * text again is the same entry: if it is found there, it counts as added.
 * @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED when the log does not accept it.
 */
export async function addToRekor(
  { url, timeoutMs = 30_000 }: { readonly url: string; readonly timeoutMs?: number },
  { text, key, signature }: { readonly text: string; readonly key: NoteKey; readonly signature: NoteSignature },
): Promise<RekorEntry> {
  const base64 = (bytes: string): string => toBase64(new TextEncoder().encode(bytes));
  const entry = {
    apiVersion: '0.0.1',
    kind: 'rekord',
    spec: {
      data: { content: base64(text) },
      signature: { format: 'x509', content: toBase64(signature.signature), publicKey: { content: base64(pemOf(key)) } },
    },
  };
  const { origin } = new URL(url);
  let response: AxiosResponse<unknown>;
  try {
    response = await client.post(`${url.replace(/\/$/, '')}/api/v1/log/entries`, entry, {
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch {
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `no answer from the log at ${origin}`);
  }
  const { status, data, headers } = response;
  const [uuid] =
    status === 201 && isObject(data) ? Object.keys(data) : [/\/([0-9a-f]+)$/.exec(String(headers.location ?? ''))?.[1]];
  if ((status === 201 || status === 409) && uuid !== undefined && /^([0-9a-f]{16})?[0-9a-f]{64}$/.test(uuid)) return { uuid };
  if (status === 429 || status >= 500 || status === 201 || status === 409) {
    const wait = retryAfterMs(headers['retry-after']);
    const detail = `the log at ${origin} answered with HTTP ${status}`;
    throw wait === undefined
      ? new FirebreakError('FB_ERR_UNAVAILABLE', detail)
      : new RetryLaterError(detail, { retryAfterMs: wait });
  }
  throw new FirebreakError('FB_ERR_REFUSED', `the log at ${origin} rejected the entry with HTTP ${status}`);
}
