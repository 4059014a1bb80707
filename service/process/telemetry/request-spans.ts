import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { beginSpan, type SpanAttributes } from './tracing.ts';

interface Asked {
  readonly method: string;
  readonly host: string;
  readonly path: string;
}

type Finish = NonNullable<ReturnType<typeof beginSpan>>;

/** What `fetch` publishes about a request. https://github.com/nodejs/undici/blob/main/docs/docs/api/DiagnosticsChannel.md */
interface FetchRequest {
  readonly origin?: unknown;
  readonly path?: unknown;
  readonly method?: unknown;
}

/**
 * Creates a span for each API request made during work on an incident, from Node's own diagnostics, so the calling code need not know: Kubernetes, Slack,
 * tickets, stores. A request is described by host, method and the kind of path, never by the path itself, because some paths hold secrets.
 */
export function watchRequests(): { stop(): void } {
  const begun = new WeakMap<object, { readonly asked: Asked; readonly finish: Finish }>();
  const begin = (request: object, asked: () => Asked): void => {
    const finish = beginSpan();
    if (finish) begun.set(request, { asked: asked(), finish });
  };
  const end = (request: object, result: { readonly status?: number | undefined; readonly error?: string }): void => {
    const known = begun.get(request);
    if (!known) return;
    begun.delete(request);
    known.finish(spanOf(known.asked, result));
  };
  const listeners: Readonly<Record<string, ChannelListener>> = {
    'http.client.request.created': (message) => {
      const { request } = message as { readonly request: ClientRequest };
      begin(request, () => ({ method: request.method, host: request.host, path: request.path }));
    },
    'http.client.response.finish': (message) => {
      const { request, response } = message as { readonly request: ClientRequest; readonly response: IncomingMessage };
      end(request, { status: response.statusCode });
    },
    'http.client.request.error': (message) =>
      end((message as { readonly request: ClientRequest }).request, { error: 'no-answer' }),
    'undici:request:create': (message) => {
      const { request } = message as { readonly request: FetchRequest };
      begin(request, () => ({ method: String(request.method), host: hostOf(request.origin), path: String(request.path) }));
    },
    'undici:request:headers': (message) => {
      const { request, response } = message as {
        readonly request: FetchRequest;
        readonly response: { readonly statusCode?: number };
      };
      end(request, { status: response.statusCode });
    },
    'undici:request:error': (message) => end((message as { readonly request: FetchRequest }).request, { error: 'no-answer' }),
  };
  for (const [channel, listener] of Object.entries(listeners)) subscribe(channel, listener);
  return {
    stop: () => {
      for (const [channel, listener] of Object.entries(listeners)) unsubscribe(channel, listener);
    },
  };
}

function hostOf(origin: unknown): string {
  return URL.parse(String(origin))?.hostname ?? '';
}

function spanOf(
  { method, host, path }: Asked,
  { status, error }: { readonly status?: number | undefined; readonly error?: string },
): Parameters<Finish>[0] {
  const template = pathKind(path);
  const attributes: SpanAttributes = {
    'http.request.method': method,
    'server.address': host,
    ...(template !== undefined && { 'url.template': template }),
    ...(status !== undefined && { 'http.response.status_code': status }),
  };
  const failed = error ?? (status !== undefined && status >= 400 ? String(status) : undefined);
  return { name: `${method} ${template ?? host}`, kind: 'client', attributes, error: failed };
}

/** For the Kubernetes API the kind of object, for Slack the method; for all others nothing, because a path may be a password. */
export function pathKind(path: string): string | undefined {
  const [plain = ''] = path.split('?');
  if (/^\/api\/[a-z]+(\.[a-zA-Z]+)+$/.test(plain)) return plain;
  const kubernetes = /^\/(api\/v1|apis\/[a-z0-9.-]+\/v[a-z0-9]+)(?:\/(.*))?$/.exec(plain);
  if (!kubernetes) return undefined;
  const [, group = '', rest = ''] = kubernetes;
  const parts = rest.split('/').filter((part) => part !== '');
  const isNamespaced = parts[0] === 'namespaces' && parts.length > 2;
  const [resource, name, ...sub] = isNamespaced ? parts.slice(2) : parts;
  if (resource === undefined || !/^[a-z]+$/.test(resource)) return `/${group}`;
  const named = name === undefined ? '' : '/{name}';
  const below = sub[0] !== undefined && /^[a-z]+$/.test(sub[0]) ? `/${sub[0]}` : '';
  return `/${group}${isNamespaced ? '/namespaces/{namespace}' : ''}/${resource}${named}${below}`;
}
