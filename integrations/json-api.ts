import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import { FirebreakError, RetryLaterError } from '../core/errors.ts';
import { isObject } from '../core/text/plain-json.ts';

interface JsonApiOptions {
  /** The service's name for people. */
  readonly name: string;
  readonly baseUrl: string;
  /** Credentials; never part of an error. */
  readonly headers: Readonly<Record<string, string>>;
  /** Timeout per call. */
  readonly timeoutMs: number;
  /** What a refusal by this service means, by status, and what to do about it. */
  readonly reasons?: Readonly<Record<number, string>>;
  /** Names of the fields that a refusal is about, if the service says so. */
  readonly fieldsIn?: (answer: unknown) => readonly string[];
}

export interface JsonCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly path: string;
  /** Name of the path in errors, if the path itself must not appear in them. */
  readonly shownAs?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** An object is sent as JSON; a text is sent byte by byte, as a signature needs it. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Whether a 2xx is the service's own answer. Otherwise a proxy's page, half an answer or an error with status 200 would all read as “nothing there”, and
   * existing things would be created again.
   */
  readonly expects?: (answer: unknown) => boolean;
  readonly signal: AbortSignal;
}

/** The call may have taken effect: there was no answer, or only a gateway's. */
export class OutcomeUnknown extends FirebreakError {
  constructor(detail: string) {
    super('FB_ERR_UNAVAILABLE', detail);
    this.name = 'OutcomeUnknown';
  }
}

/** The service understood the call and refuses it. */
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

/** Milliseconds from a Retry-After header: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(header: unknown, now = Date.now()): number | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(longestWaitMs, Math.max(1_000, ms));
}

const moved = 'it has moved: set its new address in the configuration';
const reasons: Readonly<Record<number, string>> = {
  301: moved,
  302: moved,
  307: moved,
  308: moved,
  400: 'the content is not accepted',
  401: 'the credentials are not valid',
  403: 'the account may not do this',
  404: 'it does not exist, or the account may not see it',
  410: 'it is gone',
  413: 'the content is too large',
  422: 'the content is not accepted',
};

/** A JSON REST API. Errors never contain a body, a header or a credential. */
export class JsonApi {
  readonly #http: AxiosInstance;
  readonly #name: string;
  readonly #reasons: Readonly<Record<number, string>>;
  readonly #fieldsIn: (answer: unknown) => readonly string[];

  constructor({ name, baseUrl, headers, timeoutMs, reasons: own, fieldsIn }: JsonApiOptions) {
    this.#name = name;
    this.#reasons = { ...reasons, ...own };
    this.#fieldsIn = fieldsIn ?? (() => []);
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
   * Returns the answer's body, whatever it is, unless `expects` says what it must be.
   * @throws OutcomeUnknown (FB_ERR_UNAVAILABLE), RetryLaterError (429, or 503 with Retry-After), FB_ERR_NOT_FOUND, FB_ERR_REFUSED.
   */
  async call({ method, path, shownAs, query, body, headers, expects, signal }: JsonCall): Promise<unknown> {
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
    if (response.status < 200 || response.status > 299) throw this.#fault(what, response);
    if (expects?.(response.data) === false)
      throw new OutcomeUnknown(`${this.#name} answered ${what} with HTTP ${response.status}, but not with the expected content`);
    return response.data;
  }

  #fault(what: string, { status, headers, data }: AxiosResponse<unknown>): FirebreakError {
    const wait = retryAfterMs(headers['retry-after']);
    if (status === 429) return new RetryLaterError(`${this.#name} rate-limits ${what}`, { retryAfterMs: wait ?? defaultWaitMs });
    if (status === 503 && wait !== undefined)
      return new RetryLaterError(`${this.#name} is overloaded for ${what}`, { retryAfterMs: wait });
    const detail = `${this.#name} answered ${what} with HTTP ${status}`;
    if (status >= 500 || status === 408 || status === 425) return new OutcomeUnknown(detail);
    const reason = `${this.#reasons[status] ?? 'the call is refused'}${fieldList(this.#fieldsIn(data))}`;
    if (status === 404 || status === 410) return new FirebreakError('FB_ERR_NOT_FOUND', `${detail}: ${reason}`);
    return new CallRefused(`${detail}: ${reason}`, status);
  }
}

/** Names only, and only valid field names: the rest of the answer may contain what was sent. */
export function fieldList(names: readonly string[]): string {
  const shown = [...new Set(names)].filter((name) => /^[A-Za-z][\w.-]{0,63}$/.test(name)).slice(0, 8);
  return shown.length === 0 ? '' : ` (${shown.length === 1 ? 'field' : 'fields'} ${shown.join(', ')})`;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** The object at a path of keys; empty if there is none. */
export function objectAt(value: unknown, ...path: readonly string[]): JsonObject {
  let place: unknown = value;
  for (const key of path) place = isObject(place) ? place[key] : undefined;
  return isObject(place) ? place : {};
}

export function textAt(value: unknown, key: string): string {
  const found = isObject(value) ? value[key] : undefined;
  return typeof found === 'string' ? found : '';
}

/** Whether there is a list at the key. For `expects`, if a missing list would read as “nothing there”. */
export const hasListAt = (key: string) => (value: unknown) => isObject(value) && Array.isArray(value[key]);

export function listAt(value: unknown, key: string): readonly unknown[] {
  const found = isObject(value) ? value[key] : undefined;
  return Array.isArray(found) ? found : [];
}
