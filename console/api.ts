import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { ConsoleError, ListedIncident } from '../core/console/console.schema.ts';
import { paced } from '../core/console/paced.ts';
import type { ConsoleApi } from '../core/console/routes.schema.ts';
import { type ConsoleRouteName, consoleRoutes, csrfHeader } from '../core/console/routes.ts';
import { visibleText } from '../core/text/visible-text.ts';

/** Why the desk did not answer as expected. `offline`: it was not reached at all. */
export class RequestFault extends Error {
  readonly code: string;
  readonly help: string;
  readonly fields: Readonly<Record<string, string>>;
  constructor(code: string, message: string, help: string, fields: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.help = help;
    this.fields = fields;
  }
}

interface RequestOf<Name extends ConsoleRouteName> {
  /** Values for the placeholders in braces in the path. */
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: ConsoleApi[Name]['request'] & object;
  readonly body?: ConsoleApi[Name]['body'];
  readonly csrf?: string | null;
}

/** The address of a route, also for links. */
export function addressOf(name: ConsoleRouteName, params: Readonly<Record<string, string>> = {}, query: object = {}): string {
  const path = consoleRoutes[name].path.replaceAll(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(params[key] ?? ''));
  const pairs = Object.entries(query).flatMap(([key, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : [value]).filter((one) => one !== undefined && one !== '').map((one) => [key, String(one)]),
  );
  return pairs.length === 0 ? path : `${path}?${new URLSearchParams(pairs)}`;
}

const notReached = (): RequestFault =>
  new RequestFault('offline', 'Firebreak could not be reached.', 'Check your network. This page retries automatically.');

/** @throws RequestFault */
export async function ask<Name extends ConsoleRouteName>(
  name: Name,
  { params, query, body, csrf }: RequestOf<Name> = {},
): Promise<ConsoleApi[Name]['response']> {
  const { method } = consoleRoutes[name];
  const response = await fetch(addressOf(name, params, query), {
    method,
    headers: {
      accept: 'application/json',
      // Sent even without a body: a form on another page cannot send it this way.
      ...(method === 'POST' && { 'content-type': 'application/json' }),
      ...(typeof csrf === 'string' && { [csrfHeader]: csrf }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => {
    throw notReached();
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok && answer !== undefined) return visible(answer) as ConsoleApi[Name]['response'];
  if (!isFault(answer)) throw notReached();
  const { code, message, help, fields } = answer.error;
  const fault = new RequestFault(code, message, help, fields);
  // Whatever was requested: nobody is signed in any more.
  if (response.status === 401) tell({ kind: 'signed-out', fault });
  throw fault;
}

/** Shows an attacker's texts as they really are, on every page: characters that hide or reverse text are written out. */
function visible(value: unknown): unknown {
  if (typeof value === 'string') return visibleText(value);
  if (Array.isArray(value)) return value.map(visible);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, visible(one)]));
}

function isFault(answer: unknown): answer is ConsoleError {
  return typeof answer === 'object' && answer !== null && 'error' in answer;
}

interface RouteState<Answer> {
  readonly data: Answer | undefined;
  /** If `data` is set too, it shows the last known data. */
  readonly fault: RequestFault | undefined;
  readonly isLoading: boolean;
  readonly again: () => void;
}

/** A change, as the desk reports it live. */
type LiveNews =
  | { readonly kind: 'incident'; readonly incident: ListedIncident }
  | { readonly kind: 'back' }
  | { readonly kind: 'signed-out'; readonly fault: RequestFault };

type Hearer = (news: LiveNews) => void;
const hearers = new Set<Hearer>();

function tell(news: LiveNews): void {
  for (const hear of hearers) hear(news);
}

export function useNews(hear: Hearer): void {
  const latest = useRef(hear);
  latest.current = hear;
  useEffect(() => {
    const one: Hearer = (news) => latest.current(news);
    hearers.add(one);
    return () => {
      hearers.delete(one);
    };
  }, []);
}

/** Listens to the desk for as long as somebody is signed in. The browser reconnects by itself, and sends what it heard last. */
export function useLive({ onEnd }: { readonly onEnd: () => void }): 'joining' | 'live' | 'lost' {
  const [state, setState] = useState<'joining' | 'live' | 'lost'>('joining');
  const ended = useRef(onEnd);
  ended.current = onEnd;
  useEffect(() => {
    let source: EventSource | undefined;
    let wasLost = false;
    let retry: ReturnType<typeof setTimeout> | undefined;
    const connect = (): void => {
      source = new EventSource(consoleRoutes.events.path);
      source.addEventListener('open', () => {
        setState('live');
        // What happened meanwhile is resent as far as the desk remembers; a page asks again all the same.
        if (wasLost) tell({ kind: 'back' });
        wasLost = false;
      });
      source.addEventListener('error', () => {
        wasLost = true;
        setState('lost');
        // After a response that is not a stream, such as a 401, the browser gives up.
        if (source?.readyState !== EventSource.CLOSED) return;
        retry = setTimeout(connect, 5000);
        // Perhaps because nobody is signed in any more: a request will tell.
        ask('session').catch(() => undefined);
      });
      source.addEventListener('incident', ({ data }) =>
        tell({ kind: 'incident', incident: visible(JSON.parse(data)) as ListedIncident }),
      );
      source.addEventListener('reload', () => tell({ kind: 'back' }));
      source.addEventListener('end', () => {
        source?.close();
        ended.current();
      });
    };
    connect();
    return () => {
      clearTimeout(retry);
      source?.close();
    };
  }, []);
  return state;
}

/** The first change is requested at once, and many that follow with a single request to the desk, no more often than this. */
const togetherMs = 400;

/** Requests a route, shows its last data while it asks again, and does so for each news that `renewsOn` selects. */
export function useAsked<Name extends ConsoleRouteName>(
  name: Name,
  request: RequestOf<Name>,
  renewsOn: (news: LiveNews) => boolean,
): RouteState<ConsoleApi[Name]['response']> {
  type Answer = ConsoleApi[Name]['response'];
  const address = addressOf(name, request.params, request.query);
  const [shown, setShown] = useState<{ address: string; data?: Answer; fault?: RequestFault }>({ address });
  const [round, setRound] = useState(0);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const again = useCallback(() => setRound((before) => before + 1), []);
  // The address represents the request.
  useEffect(() => {
    let isOver = false;
    ask(name, request).then(
      (data) => !isOver && setShown({ address, data }),
      (fault: RequestFault) =>
        !isOver && setShown((before) => (before.address === address ? { ...before, fault } : { address, fault })),
    );
    return () => {
      isOver = true;
    };
  }, [address, round]);
  const soon = useRef(
    paced(again, (over) => {
      timer.current = setTimeout(over, togetherMs);
    }),
  );
  useNews((news) => {
    if (news.kind !== 'signed-out' && (news.kind === 'back' || renewsOn(news))) soon.current();
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  // If the desk was not reached, this retries until it is: an event may have been lost meanwhile.
  useEffect(() => {
    if (shown.fault?.code !== 'offline') return;
    const retry = setTimeout(again, 5000);
    return () => clearTimeout(retry);
  }, [shown, again]);
  const isOf = shown.address === address;
  return {
    data: isOf ? shown.data : undefined,
    fault: isOf ? shown.fault : undefined,
    isLoading: !isOf || (shown.data === undefined && shown.fault === undefined),
    again,
  };
}
