import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Fault, Faults } from './faults.ts';
import { readBody, sendJson } from './http.ts';
import { chatMethods } from './methods/chat-methods.ts';
import type { RateLimits } from './methods/limits.ts';
import { type Args, type Method, SlackRefusal } from './methods/method.ts';
import { readMethods } from './methods/read-methods.ts';
import { viewMethods } from './methods/view-methods.ts';
import type { SlackWorld } from './world.ts';

const alwaysThere: Readonly<Record<string, Method>> = { ...chatMethods, ...readMethods, ...viewMethods };

export interface ApiCall {
  readonly method: string;
  readonly at: number;
  /** `ok`, Slack's error, an HTTP status, or `hung`. */
  readonly outcome: string;
}

/** Slack's Web API: token, scope, limits, faults, then the method itself. */
export class WebApi {
  readonly #world: SlackWorld;
  readonly #botToken: string;
  readonly #appToken: string | undefined;
  readonly #methods: Readonly<Record<string, Method>>;
  readonly #appScopes: ReadonlySet<string>;
  readonly #scopes: ReadonlySet<string>;
  readonly #limits: RateLimits;
  readonly #faults: Faults;
  readonly calls: ApiCall[] = [];

  constructor(options: {
    readonly world: SlackWorld;
    readonly botToken: string;
    readonly scopes: readonly string[];
    readonly appToken?: string | undefined;
    readonly appScopes?: readonly string[] | undefined;
    readonly methods?: Readonly<Record<string, Method>>;
    readonly limits: RateLimits;
    readonly faults: Faults;
  }) {
    this.#world = options.world;
    this.#botToken = options.botToken;
    this.#scopes = new Set(options.scopes);
    this.#appToken = options.appToken;
    this.#appScopes = new Set(options.appScopes ?? ['connections:write']);
    this.#methods = { ...alwaysThere, ...options.methods };
    this.#limits = options.limits;
    this.#faults = options.faults;
  }

  async handle(method: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const malformed = malformedBy(request, body);
    if (malformed !== undefined) {
      this.#note(method, malformed);
      return sendJson(response, 200, { ok: false, error: malformed });
    }
    const args = argsOf(request, body);
    const wait = this.#limits.take(method, String(args.channel ?? ''));
    if (wait !== undefined) {
      this.#note(method, '429');
      return sendJson(response, 429, { ok: false, error: 'ratelimited' }, { 'retry-after': String(wait) });
    }
    const fault = this.#faults.next(method);
    if (fault?.kind === 'fail') return this.#fail(method, fault, response);
    if (fault?.kind === 'hang') await this.#hang(method, fault.ms, response);
    if (response.destroyed) return;
    const answer = this.#answer(method, args, request);
    if (fault?.kind === 'doThenTimeout') return this.#note(method, 'hung');
    if (fault?.kind === 'doThenReset') {
      this.#note(method, 'reset');
      response.destroy();
      return;
    }
    this.#note(method, answer.ok === true ? 'ok' : String(answer.error));
    sendJson(response, 200, answer, { 'x-oauth-scopes': [...this.#scopes].join(',') });
  }

  #fail(method: string, fault: Extract<Fault, { kind: 'fail' }>, response: ServerResponse): void {
    const status = fault.status ?? 200;
    this.#note(method, fault.error ?? String(status));
    const headers: Record<string, string> = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
    if (status >= 500) {
      response.writeHead(status, { 'content-type': 'text/html', ...headers }).end('<html>Slack is having a moment</html>');
      return;
    }
    sendJson(response, status, { ok: false, error: fault.error ?? 'internal_error' }, headers);
  }

  async #hang(method: string, ms: number, response: ServerResponse): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      response.once('close', () => {
        clearTimeout(timer);
        this.#note(method, 'hung');
        resolve();
      });
    });
  }

  #answer(method: string, args: Args, request: IncomingMessage): Readonly<Record<string, unknown>> {
    try {
      const found = this.#methods[method];
      if (found === undefined) throw new SlackRefusal('unknown_method', { req_method: method });
      this.#authorise(args, request, found);
      return { ok: true, ...found.run(args, this.#world) };
    } catch (error) {
      if (error instanceof SlackRefusal) return { ok: false, error: error.error, ...error.extra };
      throw error;
    }
  }

  #authorise(args: Args, request: IncomingMessage, { scope, token: needed }: Pick<Method, 'scope' | 'token'>): void {
    const kind = needed ?? 'bot';
    const header = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const token = header ?? (typeof args.token === 'string' ? args.token : undefined);
    if (token === undefined) throw new SlackRefusal('not_authed');
    const given = isSame(token, this.#botToken) ? 'bot' : isSame(token, this.#appToken) ? 'app' : undefined;
    if (given === undefined) throw new SlackRefusal('invalid_auth');
    if (given !== kind) throw new SlackRefusal('not_allowed_token_type');
    const scopes = kind === 'app' ? this.#appScopes : this.#scopes;
    if (scope !== undefined && !scopes.has(scope)) {
      throw new SlackRefusal('missing_scope', { needed: scope, provided: [...scopes].join(',') });
    }
  }

  #note(method: string, outcome: string): void {
    this.calls.push({ method, at: Date.now(), outcome });
  }
}

function isSame(token: string, known: string | undefined): boolean {
  const [given, expected] = [Buffer.from(token), Buffer.from(known ?? '')];
  return known !== undefined && given.length === expected.length && timingSafeEqual(given, expected);
}

const postTypes = ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'];
const charsets = ['utf-8', 'iso-8859-1'];

/** What every method rejects before it checks anything else. https://docs.slack.dev/reference/methods/chat.update#errors */
function malformedBy(request: IncomingMessage, body: string): string | undefined {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
  if (body !== '' && type === '') return 'missing_post_type';
  if (type !== '' && !postTypes.includes(type.trim())) return 'invalid_post_type';
  const charset = parameters.map((one) => /^\s*charset="?([^"]+)"?$/.exec(one)?.[1]).find((one) => one !== undefined);
  if (charset !== undefined && !charsets.includes(charset)) return 'invalid_charset';
  if (type.trim() === 'application/json' && body !== '') {
    try {
      const parsed: unknown = JSON.parse(body);
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'json_not_object';
    } catch {
      return 'invalid_json';
    }
  }
  return Object.keys(argsOf(request, body)).some((name) => !/^\w{1,100}$/.test(name)) ? 'invalid_arg_name' : undefined;
}

function argsOf(request: IncomingMessage, body: string): Args {
  const query = Object.fromEntries(new URL(request.url ?? '/', 'http://localhost').searchParams);
  if (!(request.headers['content-type'] ?? '').startsWith('application/json')) {
    return { ...query, ...Object.fromEntries(new URLSearchParams(body)) };
  }
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? { ...query, ...parsed } : query;
  } catch {
    return query;
  }
}
