import axios, { type AxiosResponse } from 'axios';
import type { OwnCall, OwnRequest, OwnResponse } from '../core/action/own-implementation.ts';
import { FirebreakError, RetryLaterError } from '../core/errors.ts';
import { retryAfterMs } from './json-api.ts';

const client = axios.create({
  maxRedirects: 0,
  maxContentLength: 16 * 1_048_576,
  validateStatus: () => true,
  headers: { Accept: 'application/json', 'User-Agent': 'firebreak' },
});

/** HTTP client for the actions of a pack. Errors never contain a body, a header or a query. */
export function ownHttp(signal: AbortSignal): OwnCall['http'] {
  return async ({ method, url, headers, body }: OwnRequest): Promise<OwnResponse> => {
    const what = `${method} ${shownUrl(url)}`;
    let response: AxiosResponse<unknown>;
    try {
      response = await client.request({
        method,
        url,
        signal,
        ...(headers && { headers: { ...headers } }),
        ...(body !== undefined && { data: body }),
      });
    } catch {
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `no answer to ${what}`);
    }
    const { status, data } = response;
    const given = Object.entries(response.headers).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value] as const] : [],
    );
    if (status !== 429 && status < 500) return { status, headers: Object.fromEntries(given), body: data };
    const wait = retryAfterMs(response.headers['retry-after']);
    const detail = `HTTP ${status} in answer to ${what}`;
    throw wait === undefined
      ? new FirebreakError('FB_ERR_UNAVAILABLE', detail)
      : new RetryLaterError(detail, { retryAfterMs: wait });
  };
}

function shownUrl(url: string): string {
  if (!URL.canParse(url)) return 'an invalid address';
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
