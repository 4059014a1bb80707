import axios, { type AxiosResponse } from 'axios';
import { FirebreakError } from '../../core/errors.ts';
import type { LogWitness } from '../../core/tlog/log-witness.ts';
import type { NoteKey } from '../../core/tlog/signed-note.ts';
import { addCheckpointPath, parseAnswer, requestText } from '../../core/tlog/witness-protocol.ts';

const client = axios.create({
  maxRedirects: 0,
  maxContentLength: 64 * 1_024,
  responseType: 'text',
  // Axios parses text that looks like JSON: a size does.
  transformResponse: (text: unknown) => text,
  validateStatus: () => true,
  headers: { 'Content-Type': 'text/plain; charset=utf-8', 'User-Agent': 'firebreak' },
});

/** A witness that speaks C2SP's tlog-witness: ours (`firebreak audit witness`) or somebody else's. */
export function createWitness({
  url,
  key,
  timeoutMs = 10_000,
}: {
  readonly url: string;
  readonly key: NoteKey;
  readonly timeoutMs?: number;
}): LogWitness {
  const noAnswer = (): FirebreakError =>
    new FirebreakError('FB_ERR_UNAVAILABLE', `the witness ${key.name} does not answer at ${new URL(url).origin}`);
  return {
    key,
    cosign: async (asked) => {
      let response: AxiosResponse<unknown>;
      try {
        const address = `${url.replace(/\/$/, '')}${addCheckpointPath}`;
        response = await client.post(address, requestText(asked), { signal: AbortSignal.timeout(timeoutMs) });
      } catch {
        throw noAnswer();
      }
      const { status, data, headers } = response;
      const type = String(headers['content-type'] ?? '').split(';')[0] ?? '';
      const answer = typeof data === 'string' ? parseAnswer({ status, body: data, type: type.trim() }) : undefined;
      if (!answer) throw noAnswer();
      return answer;
    },
  };
}
