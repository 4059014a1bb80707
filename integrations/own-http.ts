import axios, { type AxiosResponse } from 'axios';
import { type OwnCall, type OwnRequest, type OwnResponse, refuse } from '../core/action/own-implementation.ts';
import { FirebreakError, RetryLaterError } from '../core/errors.ts';
import { retryAfterMs } from './json-api.ts';

const client = axios.create({
  maxRedirects: 0,
  maxContentLength: 16 * 1_048_576,
  validateStatus: () => true,
  headers: { Accept: 'application/json', 'User-Agent': 'firebreak' },
});

/** Headers that say where a request goes or where it ends: only the client sets them. */
const ofClient = /^(host|connection|content-length|transfer-encoding|te|trailer|upgrade|proxy-.*)$/i;

/**
 * HTTP client for the actions of a pack. Errors never contain a body, a header or a query.
 * @param reaches whether the action declares that it sends requests to this address.
 */
export function ownHttp(signal: AbortSignal, reaches: (url: string) => boolean): OwnCall['http'] {
  return async ({ method, url, headers: asked = {}, body }: OwnRequest): Promise<OwnResponse> => {
    const what = `${method} ${shownUrl(url)}`;
    if (!reaches(url)) refuse(`${what}: the action does not declare this server in egress`);
    const headers = Object.fromEntries(Object.entries(asked).filter(([name]) => !ofClient.test(name)));
    let response: AxiosResponse<unknown>;
    try {
      response = await client.request({
        method,
        url,
        signal,
        headers,
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
