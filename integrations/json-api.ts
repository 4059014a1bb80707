import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import { FirebreakError, RetryLaterError } from '../core/errors.ts';

export interface JsonApiOptions {
  /** What people call the service. */
  readonly name: string;
  readonly baseUrl: string;
  /** Credentials; they are in no error. */
  readonly headers: Readonly<Record<string, string>>;
  /** For one call. */
  readonly timeoutMs: number;
}

export interface JsonCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly path: string;
  /** What errors call the path, where it must not be in them. */
  readonly shownAs?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** An object becomes JSON; a text goes out byte by byte, as a signature needs it. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** The call may have had its effect: no answer, or a gateway's answer. */
export class OutcomeUnknown extends FirebreakError {
  constructor(detail: string) {
    super('FB_ERR_UNAVAILABLE', detail);
    this.name = 'OutcomeUnknown';
  }
}

/** The service has understood the call, and does not do it. */
export class CallRefused extends FirebreakError {
  readonly status: number;

  constructor(detail: string, status: number) {
    super('FB_ERR_REFUSED', detail);
    this.name = 'CallRefused';
    this.status = status;
  }
}

const defaultWaitMs = 30_000;
const longestWaitMs = 3_600_000;

/** Milliseconds of a Retry-After header: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(header: unknown, now = Date.now()): number | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(longestWaitMs, Math.max(1_000, ms));
}

const reasons: Readonly<Record<number, string>> = {
  400: 'the content is not accepted',
  401: 'the credentials are not valid',
  403: 'the account may not do this',
  404: 'it does not exist, or the account may not see it',
  410: 'it is gone',
  422: 'the content is not accepted',
};

/** A REST API that speaks JSON. No error holds a body, a header or a credential. */
export class JsonApi {
  readonly #http: AxiosInstance;
  readonly #name: string;

  constructor({ name, baseUrl, headers, timeoutMs }: JsonApiOptions) {
    this.#name = name;
    this.#http = axios.create({
      baseURL: baseUrl.replace(/\/+$/, ''),
      timeout: timeoutMs,
      maxRedirects: 0,
      maxContentLength: 16 * 1_048_576,
      proxy: false,
      httpAgent: new HttpAgent({ keepAlive: true, timeout: 30_000 }),
      httpsAgent: new HttpsAgent({ keepAlive: true, timeout: 30_000 }),
      validateStatus: () => true,
      headers: { Accept: 'application/json', 'Content-Type': 'application/json', 'User-Agent': 'firebreak', ...headers },
    });
  }

  /**
   * The answer's body, whatever it is.
   * @throws OutcomeUnknown (FB_ERR_UNAVAILABLE), RetryLaterError (429, or 503 with Retry-After), FB_ERR_NOT_FOUND, FB_ERR_REFUSED.
   */
  async call({ method, path, shownAs, query, body, headers, signal }: JsonCall): Promise<unknown> {
    const what = `${method} ${shownAs ?? path}`;
    let response: AxiosResponse<unknown>;
    try {
      response = await this.#http.request<unknown>({
        method,
        url: path,
        signal,
        ...(query && { params: query }),
        ...(headers && { headers }),
        ...(body === undefined ? {} : { data: typeof body === 'string' ? Buffer.from(body, 'utf8') : body }),
      });
    } catch {
      throw new OutcomeUnknown(`${this.#name} did not answer ${what}`);
    }
    if (response.status >= 200 && response.status <= 299) return response.data;
    throw this.#fault(what, response);
  }

  #fault(what: string, { status, headers }: AxiosResponse): FirebreakError {
    const wait = retryAfterMs(headers['retry-after']);
    if (status === 429) return new RetryLaterError(`${this.#name} limits ${what}`, { retryAfterMs: wait ?? defaultWaitMs });
    if (status === 503 && wait !== undefined)
      return new RetryLaterError(`${this.#name} is overloaded at ${what}`, { retryAfterMs: wait });
    const detail = `${this.#name} answered ${what} with HTTP ${status}`;
    if (status >= 500 || status === 408 || status === 425) return new OutcomeUnknown(detail);
    const reason = reasons[status] ?? 'the call is refused';
    if (status === 404 || status === 410) return new FirebreakError('FB_ERR_NOT_FOUND', `${detail}: ${reason}`);
    return new CallRefused(`${detail}: ${reason}`, status);
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object at a path of keys; an empty one where there is none. */
export function objectAt(value: unknown, ...path: readonly string[]): JsonObject {
  let place: unknown = value;
  for (const key of path) place = isObject(place) ? place[key] : undefined;
  return isObject(place) ? place : {};
}

export function textAt(value: unknown, key: string): string {
  const found = isObject(value) ? value[key] : undefined;
  return typeof found === 'string' ? found : '';
}

export function listAt(value: unknown, key: string): readonly unknown[] {
  const found = isObject(value) ? value[key] : undefined;
  return Array.isArray(found) ? found : [];
}
