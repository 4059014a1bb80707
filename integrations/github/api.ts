import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import { FirebreakError, RetryLaterError } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { fieldList, listAt, OutcomeUnknown, textAt } from '../json-api.ts';

interface GithubAnswer {
  readonly data: unknown;
  /** Path of the next page, from the Link header. */
  readonly next?: string;
}

interface GithubCall {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

function header(response: AxiosResponse, name: string): string | undefined {
  const value: unknown = response.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** The secondary limits may come without any header: then only GitHub's own documentation address distinguishes them from missing rights. */
function isSecondaryLimit({ data }: AxiosResponse<unknown>): boolean {
  return isObject(data) && /rate-limits?|abuse-rate-limits/.test(String(data.documentation_url));
}

/** Milliseconds to wait as GitHub asks; undefined if it is not a rate limit. https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api */
function waitOf(response: AxiosResponse<unknown>): number | undefined {
  if (response.status !== 403 && response.status !== 429) return undefined;
  const after = Number(header(response, 'retry-after'));
  if (after > 0) return after * 1_000;
  const reset = Number(header(response, 'x-ratelimit-reset'));
  if (header(response, 'x-ratelimit-remaining') === '0' && reset > 0) return Math.max(1_000, reset * 1_000 - Date.now());
  // “Otherwise, wait for at least one minute before retrying.”
  return response.status === 429 || isSecondaryLimit(response) ? 60_000 : undefined;
}

/** `path` of the next page, relative to the API's base. */
function nextPath(link: string | undefined, base: string): string | undefined {
  const [, url] = /<([^>]+)>;\s*rel="next"/.exec(link ?? '') ?? [];
  return url?.startsWith(`${base}/`) ? url.slice(base.length) : undefined;
}

const moved = 'the repository has moved: set tickets.github.repository to its new name';

/** `errors[].field` of a 422. https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed */
function fieldsIn(data: unknown): readonly string[] {
  return listAt(data, 'errors').map((error) => textAt(error, 'field'));
}

function failure(what: string, response: AxiosResponse<unknown>): FirebreakError {
  const { status } = response;
  const wait = waitOf(response);
  if (wait !== undefined) return new RetryLaterError(`GitHub rate-limits ${what}`, { retryAfterMs: wait });
  if (status >= 500 || status === 408) return new OutcomeUnknown(`GitHub answered ${what} with HTTP ${status}`);
  const why: Readonly<Record<number, string>> = {
    301: moved,
    302: moved,
    307: moved,
    308: moved,
    401: 'the token is not valid, or has expired',
    403: 'the token may not do this',
    404: 'it does not exist, or the token may not see it',
    410: 'it is gone, or issues are switched off',
    422: 'GitHub does not accept the content',
  };
  const code = status === 404 || status === 410 ? 'FB_ERR_NOT_FOUND' : 'FB_ERR_REFUSED';
  return new FirebreakError(
    code,
    `GitHub answered ${what} with HTTP ${status}: ${why[status] ?? 'the call is refused'}${fieldList(fieldsIn(response.data))}`,
  );
}

/** The REST API of GitHub. Errors never contain a body, a header or the token. */
export class GithubApi {
  readonly #http: AxiosInstance;
  readonly #base: string;

  constructor(options: { readonly token: string; readonly apiUrl: string; readonly timeoutMs: number }) {
    this.#base = options.apiUrl.replace(/\/+$/, '');
    this.#http = axios.create({
      baseURL: this.#base,
      timeout: options.timeoutMs,
      maxRedirects: 0,
      maxContentLength: 32 * 1_048_576,
      proxy: false,
      httpAgent: new HttpAgent({ keepAlive: true, timeout: 30_000 }),
      httpsAgent: new HttpsAgent({ keepAlive: true, timeout: 30_000 }),
      validateStatus: () => true,
      headers: {
        Authorization: `Bearer ${options.token}`,
        Accept: 'application/vnd.github+json',
        'X-GitHub-Api-Version': '2022-11-28',
        'User-Agent': 'firebreak',
      },
    });
  }

  /** @throws OutcomeUnknown (FB_ERR_UNAVAILABLE), RetryLaterError, FB_ERR_REFUSED, FB_ERR_NOT_FOUND. */
  async call({ method, path, body, signal }: GithubCall): Promise<GithubAnswer> {
    const what = `${method} ${path.replace(/\?.*/, '')}`;
    let response: AxiosResponse<unknown>;
    try {
      response = await this.#http.request<unknown>({ method, url: path, data: body, signal });
    } catch {
      throw new OutcomeUnknown(`GitHub did not answer ${what}`);
    }
    if (response.status < 200 || response.status > 299) throw failure(what, response);
    // A proxy's error page is not an answer.
    if (typeof response.data !== 'object')
      throw new OutcomeUnknown(`GitHub answered ${what} with HTTP ${response.status}, but not with JSON`);
    const next = nextPath(header(response, 'link'), this.#base);
    return { data: response.data, ...(next !== undefined && { next }) };
  }
}
