import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { ConsoleError, DeviceSignIn } from '../../../core/console/console.schema.ts';
import { type RouteShape, routeShapes } from '../../../core/console/routes.schema.ts';
import { type ConsoleRoute, type ConsoleRouteName, consoleRoutes, csrfHeader } from '../../../core/console/routes.ts';
import { type ErrorCode, errorCatalogue, FirebreakError } from '../../../core/errors.ts';
import { BoundedBodies } from '../../../integrations/bounded-bodies.ts';
import { addressOf } from '../../../integrations/guarded-connections.ts';
import { isFromOwnPage } from '../pages/page-html.ts';
import { RequestBudget } from './request-budget.ts';
import type { Sessions, SignedIn } from './sessions.ts';
import { bearerTokenIn, type TokenSignIns } from './token-sign-ins.ts';

const longestBody = 32_768;
const bodyLimits = { atMost: longestBody, inAll: 64 * longestBody, withinMs: 10_000 };

type Shapes = typeof routeShapes;
type Given<Name extends ConsoleRouteName, Part extends 'params' | 'query' | 'body'> = Shapes[Name] extends {
  readonly [P in Part]: infer Schema extends z.ZodType;
}
  ? z.output<Schema>
  : undefined;

interface RouteRequest<Name extends ConsoleRouteName> {
  readonly who: SignedIn;
  readonly params: Given<Name, 'params'>;
  readonly query: Given<Name, 'query'>;
  readonly body: Given<Name, 'body'>;
}

/** The handlers of all routes except the router's own: the two public ones, sign-out and the stream of events. */
export type RouteAnswers = {
  readonly [Name in Exclude<ConsoleRouteName, 'openapi' | 'deviceSignIn' | 'signOut' | 'events'>]: (
    asking: RouteRequest<Name>,
  ) => Promise<z.input<Shapes[Name]['response']>>;
};

/** An error about an answer that names the fields. */
export class AnswerProblems extends FirebreakError {
  readonly fields: Readonly<Record<string, string>>;

  constructor(fields: Readonly<Record<string, string>>) {
    super('FB_ERR_INCOMPLETE', Object.values(fields).join(' '));
    this.fields = fields;
  }
}

/** Responses are not cached, not shown in a frame, and not interpreted as anything but data. */
const dataHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
};

/** For everything below `/api/`, of any type. */
export function apiHeaders(publicUrl: string): Readonly<Record<string, string>> {
  return { ...dataHeaders, ...transportHeaders(publicUrl) };
}

/** Makes browsers return over TLS only. https://www.rfc-editor.org/rfc/rfc6797 */
export function transportHeaders(publicUrl: string): Readonly<Record<string, string>> {
  return publicUrl.startsWith('https:') ? { 'strict-transport-security': 'max-age=31536000' } : {};
}

interface ConsoleRouter {
  /** @param proven called once somebody is signed in: their connection is then kept */
  handle(request: IncomingMessage, response: ServerResponse, proven: () => void): void;
}

/** Handles everything below `/api/v1/`: authenticates and authorises the caller, validates the request, and reduces the response to what its schema names. */
export function createConsoleRouter(parts: {
  readonly sessions: Sessions;
  /** Absent: tokens are not accepted. */
  readonly tokens: TokenSignIns | undefined;
  readonly deviceSignIn: DeviceSignIn | undefined;
  readonly answers: RouteAnswers;
  readonly openApi: object;
  /** Takes the response over. */
  readonly stream: (who: SignedIn, request: IncomingMessage, response: ServerResponse) => void;
  readonly publicUrl: string;
  /** Called if a signed-in person asks for something that their roles do not allow. */
  readonly refused: (who: SignedIn, route: ConsoleRouteName) => void;
  /** Called for a request without a valid sign-in. */
  readonly stranger: (reason: string) => void;
  readonly signedOut: (who: SignedIn) => void;
  readonly log: (message: string, error: unknown) => void;
  readonly budget?: RequestBudget;
}): ConsoleRouter {
  const { sessions, tokens, deviceSignIn, answers, openApi, stream, publicUrl, refused, stranger, signedOut, log } = parts;
  const { budget = new RequestBudget() } = parts;
  const bodies = new BoundedBodies(bodyLimits);
  const headers = { 'content-type': 'application/json; charset=utf-8', ...apiHeaders(publicUrl) };

  const send = (response: ServerResponse, status: number, body: unknown, more: Readonly<Record<string, string>> = {}): void => {
    response.writeHead(status, { ...headers, ...more }).end(`${JSON.stringify(body)}\n`);
  };

  /** Per address: a client that sends requests without end takes nothing from others who are about to sign in. */
  const spendAsStranger = ({ socket }: IncomingMessage): void => budget.spend(`nobody at ${addressOf(socket)}`);

  /**
   * By the session's cookie, otherwise by a token. Never both: with one of our cookies a token is ignored, so that everything a browser sends follows the rules
   * of a session.
   */
  const whoAsks = async (request: IncomingMessage, response: ServerResponse): Promise<SignedIn> => {
    const token = sessions.isIn(request) ? undefined : bearerTokenIn(request);
    if (token === undefined) {
      // Before any database query: a stranger costs no more than checking a cookie.
      if (request.headers.cookie === undefined) spendAsStranger(request);
      const who = await sessions.of(request, response);
      if (who) return who;
      stranger('nobody is signed in');
      throw new FirebreakError('FB_ERR_SIGN_IN', 'you are not signed in');
    }
    if (!tokens) {
      spendAsStranger(request);
      throw noTokens();
    }
    const who = await tokens.of(token).catch((error: unknown) => {
      spendAsStranger(request);
      throw error;
    });
    if (who) return who;
    // Only here, so that strangers with made-up tokens take nothing from somebody with a valid one.
    spendAsStranger(request);
    stranger('a token that does not count');
    throw new FirebreakError(
      'FB_ERR_SIGN_IN',
      'this token is not valid here, or no longer valid: firebreak login gets a new one',
    );
  };

  /** A page of another site can make a browser send its cookie, but can neither set our header nor read a token. */
  const mustBeOwn = (request: IncomingMessage, who: SignedIn): void => {
    const { 'content-type': type = '', [csrfHeader]: token } = request.headers;
    const isOwn =
      isFromOwnPage(request, publicUrl) &&
      type.split(';')[0]?.trim().toLowerCase() === 'application/json' &&
      typeof token === 'string' &&
      who.csrf !== null &&
      isSame(token, who.csrf);
    if (!isOwn) throw new FirebreakError('FB_ERR_REFUSED', 'this did not come from the console’s own page');
  };

  async function answer(request: IncomingMessage, response: ServerResponse, proven: () => void): Promise<void> {
    const url = new URL(request.url ?? '/', publicUrl);
    const found = routeOf(request.method, url.pathname);
    if (!found) {
      spendAsStranger(request);
      throw new FirebreakError('FB_ERR_NOT_FOUND', 'there is nothing at this address');
    }
    const { name, route, params } = found;
    if (name === 'openapi' || name === 'deviceSignIn' || route.roles === 'anybody') {
      spendAsStranger(request);
      if (name === 'openapi') return send(response, 200, openApi);
      if (!deviceSignIn) throw noTokens();
      return send(response, 200, deviceSignIn);
    }
    const who = await whoAsks(request, response);
    proven();
    budget.spend(who.id, name === 'answer' ? 20 : 1);
    if (!route.roles.some((role) => who.roles.includes(role))) {
      refused(who, name);
      throw new FirebreakError('FB_ERR_REFUSED', `this needs one of the roles ${route.roles.join(', ')}`);
    }
    if (route.method === 'POST' && who.by === 'token') {
      refused(who, name);
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        'a sign-in from the command line is read-only. Answer in Slack, in the console, or with firebreak approve and your own key',
      );
    }
    if (route.method === 'POST') mustBeOwn(request, who);
    if (name === 'events') return stream(who, request, response);
    if (name === 'signOut') {
      await sessions.end(request, response);
      signedOut(who);
      return send(response, 200, { text: 'You are signed out.' });
    }
    const shape: RouteShape = routeShapes[name];
    const asking = {
      who,
      params: parsed(shape.params, params),
      query: parsed(shape.query, queryOf(url.searchParams)),
      body: shape.body && parsed(shape.body, await jsonIn(request, bodies)),
    };
    // The request has just been parsed with the schema of this route.
    const handler = answers[name] as (asked: unknown) => Promise<unknown>;
    const body = shape.response.parse(await handler(asking));
    const file = name === 'incidentExport' ? { 'content-disposition': 'attachment; filename="incident.json"' } : {};
    send(response, 200, body, file);
  }

  return {
    handle: (request, response, proven) => {
      answer(request, response, proven).catch((error: unknown) => {
        request.resume();
        if (response.headersSent) return void response.destroy();
        const known = error instanceof FirebreakError ? error : undefined;
        const code = known && statusOf[known.code] !== undefined ? known.code : 'FB_ERR_UNAVAILABLE';
        if (code !== known?.code || code === 'FB_ERR_UNAVAILABLE') log('a request from the console could not be answered', error);
        const more = {
          ...(code === 'FB_ERR_TOO_MANY' && { 'retry-after': '5' }),
          // https://www.rfc-editor.org/rfc/rfc6750#section-3
          ...(code === 'FB_ERR_SIGN_IN' && bearerTokenIn(request) && { 'www-authenticate': 'Bearer error="invalid_token"' }),
        };
        send(response, statusOf[code] ?? 503, errorOf(code, known), more);
      });
    },
  };
}

function noTokens(): FirebreakError {
  return new FirebreakError(
    'FB_ERR_NOT_FOUND',
    'this desk does not accept sign-ins from the command line: console.commandLine is not configured',
  );
}

/** Errors meant for people. All other errors only go to the log. */
const statusOf: Partial<Record<ErrorCode, number>> = {
  FB_ERR_SIGN_IN: 401,
  FB_ERR_REFUSED: 403,
  FB_ERR_VOTE_REFUSED: 403,
  FB_ERR_NOT_FOUND: 404,
  FB_ERR_UNKNOWN_ID: 404,
  FB_ERR_NOT_OPEN: 409,
  FB_ERR_PLAN_CHANGED: 409,
  FB_ERR_ALREADY_DECIDED: 409,
  FB_ERR_INCOMPLETE: 422,
  FB_ERR_TOO_MANY: 429,
  FB_ERR_UNAVAILABLE: 503,
};

function errorOf(code: ErrorCode, known: FirebreakError | undefined): ConsoleError {
  const { summary, remedy } = errorCatalogue[code];
  const fields = known instanceof AnswerProblems ? { fields: { ...known.fields } } : {};
  const told = known?.code === code && code !== 'FB_ERR_UNAVAILABLE' ? known : undefined;
  return { error: { code, message: told?.detail ?? summary, help: told?.remedy ?? remedy, ...fields } };
}

function routeOf(
  method: string | undefined,
  path: string,
):
  | { readonly name: ConsoleRouteName; readonly route: ConsoleRoute; readonly params: Readonly<Record<string, string>> }
  | undefined {
  const given = path.split('/');
  for (const [name, route] of routeEntries) {
    const wanted = route.path.split('/');
    if (route.method !== method || wanted.length !== given.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((part, index) => {
      const taken = given[index] ?? '';
      if (!part.startsWith('{')) return part === taken;
      params[part.slice(1, -1)] = taken;
      return true;
    });
    if (fits) return { name, route, params };
  }
  return undefined;
}

const routeNames = Object.keys(consoleRoutes) as ConsoleRouteName[];
const routeEntries: readonly (readonly [ConsoleRouteName, ConsoleRoute])[] = routeNames.map((name) => [
  name,
  consoleRoutes[name],
]);

/** A name that occurs more than once becomes a list. */
function queryOf(search: URLSearchParams): Readonly<Record<string, string | string[]>> {
  const names = [...new Set(search.keys())];
  return Object.fromEntries(
    names.map((name) => {
      const all = search.getAll(name);
      const [first = '', ...rest] = all;
      return [name, rest.length === 0 ? first : all];
    }),
  );
}

function parsed(schema: z.ZodType | undefined, value: unknown): unknown {
  if (!schema) return undefined;
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const fields = read.error.issues.map(({ path, message }) => [path.join('.') || 'request', message] as const);
  throw new AnswerProblems(Object.fromEntries(fields));
}

async function jsonIn(request: IncomingMessage, bodies: BoundedBodies): Promise<unknown> {
  const body = await bodies.read(request);
  if (!body.ok)
    throw new AnswerProblems({ request: body.status === 413 ? 'The request is too long.' : 'The request was cut off.' });
  try {
    return JSON.parse(body.bytes.toString());
  } catch {
    throw new AnswerProblems({ request: 'The request is not JSON.' });
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
