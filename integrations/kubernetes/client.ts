import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { stampPrefix } from '../../core/action/own-steps.ts';
import type { ClockOffset } from '../../core/evidence/evidence.ts';
import type { KubernetesCall, PatchType, SocketCall, StreamCall } from './call.ts';
import { errorOfConnection, errorOfStatus, KubernetesError } from './client-error.ts';
import type { ClusterAccess } from './kubeconfig.ts';
import { openSocket, type Socket } from './socket.ts';

const contentTypes: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
  strategic: 'application/strategic-merge-patch+json',
};

/**
 * A lean client: JSON over warm HTTPS connections, one attempt per call, a timeout on every call. client-node does the same with 90 MB more memory and a slower
 * patch; only its types are used.
 */
export interface KubernetesApi {
  readonly server: string;
  /** @throws KubernetesError: FB_ERR_NOT_FOUND, _CONFLICT, _REFUSED, _UNAVAILABLE. */
  json<T>(call: KubernetesCall): Promise<T>;
  /** The body as a stream, for watches and logs. `timeoutMs` applies until the headers arrive. @throws as `json`. */
  stream(call: StreamCall): Promise<IncomingMessage>;
  /** A WebSocket, open and paused. `timeoutMs` applies until it is open, `signal` ends it at any time. @throws as `json`. */
  socket(call: SocketCall): Promise<Socket>;
  /** Offset between our clock and the server's, from its answers so far. */
  clock(): ClockOffset | undefined;
  close(): void;
}

/** An API path with every name escaped. */
export function pathOf(options: {
  readonly group?: string;
  readonly version?: string;
  readonly namespace?: string;
  readonly resource: string;
  readonly name?: string;
  readonly subresource?: string;
}): string {
  const { group = '', version = 'v1', namespace, resource, name, subresource } = options;
  const parts = [group ? `apis/${group}/${version}` : `api/${version}`];
  if (namespace !== undefined) parts.push('namespaces', encodeURIComponent(namespace));
  parts.push(resource);
  if (name !== undefined) parts.push(encodeURIComponent(name));
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.join('/')}`;
}

/** Opens a client. `maxSockets` limits the calls in flight; watches use their own sockets. */
export function createKubernetesApi(options: {
  readonly access: ClusterAccess;
  readonly maxSockets?: number;
  /** What a request says about itself in the API server's audit log; undefined for nothing. */
  readonly stamp?: (request: { readonly method: string; readonly path: string }) => string | undefined;
}): KubernetesApi {
  const { access, maxSockets = 32, stamp: stampOf } = options;
  const server = new URL(access.server);
  const agent = new Agent({ keepAlive: true, keepAliveMsecs: 15_000, maxSockets, maxFreeSockets: maxSockets, ...access.tls });
  const clock = new ServerClock();
  const streamAgent = new Agent({ keepAlive: false, ...access.tls });

  const pathTo = ({ path, query }: Pick<KubernetesCall, 'path' | 'query'>): string =>
    `${server.pathname.replace(/\/$/, '')}${path}${query ? `?${new URLSearchParams(query)}` : ''}`;

  const sentBy = async (call: Pick<KubernetesCall, 'method' | 'path'>): Promise<Readonly<Record<string, string>>> => {
    const stamp = stampOf?.(call);
    const authorization = await access.authorization();
    return {
      'user-agent': stamp === undefined ? 'firebreak' : `${stampPrefix}${stamp}`,
      ...(authorization && { authorization }),
    };
  };

  const requestOf = async (call: KubernetesCall): Promise<OneRequest> => {
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    if (call.method === 'PATCH' && !call.patch) throw new TypeError('a PATCH must name its patch type');
    const sender = await sentBy(call);
    return {
      body,
      options: {
        host: server.hostname.replace(/^\[|\]$/g, ''),
        port: server.port || 443,
        path: pathTo(call),
        method: call.method,
        headers: {
          accept: call.accept ?? 'application/json',
          ...sender,
          ...(body && {
            'content-type': call.patch ? contentTypes[call.patch] : 'application/json',
            'content-length': String(body.length),
          }),
        },
      },
    };
  };

  const open = async (call: StreamCall, signal: AbortSignal): Promise<IncomingMessage> => {
    const { options } = await requestOf({ ...call, method: 'GET' });
    return new Promise((resolve, reject) => {
      httpsRequest({ ...options, agent: streamAgent, signal }, resolve)
        .once('error', reject)
        .end();
    });
  };

  return {
    server: access.server,
    async json<T>(call: KubernetesCall): Promise<T> {
      const { what, timeoutMs = 5_000, signal } = call;
      let answer: Answer;
      try {
        const request = await requestOf(call);
        const sentAt = Date.now();
        answer = await exchange(request, { agent, timeoutMs, signal });
        clock.see({ date: answer.date, sentAt, cameAt: answer.cameAt });
      } catch (error) {
        throw errorOfConnection({ error, what });
      }
      const { status, text } = answer;
      if (status < 200 || status > 299) throw errorOfStatus({ status, text, what });
      return JSON.parse(text);
    },
    async stream(call: StreamCall): Promise<IncomingMessage> {
      const headers = new AbortController();
      const timer = setTimeout(() => headers.abort(new DOMException('no headers', 'TimeoutError')), call.timeoutMs ?? 5_000);
      const signal = call.signal ? AbortSignal.any([headers.signal, call.signal]) : headers.signal;
      try {
        const response = await open(call, signal);
        clearTimeout(timer);
        const status = response.statusCode ?? 0;
        if (status >= 200 && status <= 299) return response;
        const text = await textOf(response);
        throw errorOfStatus({ status, text, what: call.what });
      } catch (error) {
        if (error instanceof KubernetesError) throw error;
        throw errorOfConnection({ error: signal.aborted ? signal.reason : error, what: call.what });
      } finally {
        clearTimeout(timer);
      }
    },
    async socket(call: SocketCall): Promise<Socket> {
      const headers = await sentBy({ method: 'GET', path: call.path });
      return openSocket({ server, path: pathTo(call), headers, tls: access.tls, call });
    },
    clock: () => clock.offset(),
    close() {
      agent.destroy();
      streamAgent.destroy();
    },
  };
}

interface OneRequest {
  readonly options: RequestOptions;
  readonly body: Buffer | undefined;
}

interface Answer {
  readonly status: number;
  readonly date: string | undefined;
  /** When its headers arrived, in milliseconds since 1970. */
  readonly cameAt: number;
  readonly text: string;
}

/**
 * Sends a request and reads its whole answer, with one timer and one listener: combining signals for each call and iterating over the body made up a third of
 * the cost of a call.
 *
 * @throws the reason of the signal, a TimeoutError, or the connection's error
 */
function exchange(
  { options, body }: OneRequest,
  { agent, timeoutMs, signal }: { readonly agent: Agent; readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const request = httpsRequest({ ...options, agent }, (response) => {
      const { statusCode: status = 0, headers } = response;
      const cameAt = Date.now();
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', fail);
      response.once('end', () => {
        settled();
        resolve({ status, date: headers.date, cameAt, text: Buffer.concat(parts).toString('utf8') });
      });
    });
    const settled = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
    };
    const fail = (error: unknown): void => {
      settled();
      reject(error);
    };
    const giveUp = (reason: unknown): void => {
      fail(reason);
      request.destroy();
    };
    const cancel = (): void => giveUp(signal?.reason);
    const timer = setTimeout(() => giveUp(new DOMException('no answer', 'TimeoutError')), timeoutMs);
    signal?.addEventListener('abort', cancel, { once: true });
    request.on('error', fail);
    request.end(body);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

/** An answer states its time in whole seconds, rounded down. */
const dateResolutionMs = 1_000;
/** Clocks drift, and are set: older observations are discarded. */
const forgottenAfterMs = 10 * 60_000;

/**
 * Offset between the API server's clock and ours, from the `Date` of its answers (RFC 9110, 6.6.1): the stated time lies between sending the request and
 * receiving the answer. Each answer narrows the range; one that contradicts earlier ones (somebody has set a clock) starts it again.
 */
export class ServerClock {
  #ahead: { readonly least: number; readonly most: number; readonly since: number } | undefined;

  /** Takes an answer into account. `sentAt` and `cameAt` are by our clock, in milliseconds since 1970. */
  see({ date, sentAt, cameAt }: { readonly date: string | undefined; readonly sentAt: number; readonly cameAt: number }): void {
    const said = Date.parse(date ?? '');
    if (Number.isNaN(said) || cameAt < sentAt) return;
    const now = { least: said - cameAt, most: said + dateResolutionMs - sentAt };
    const known = this.#ahead;
    const least = Math.max(now.least, known?.least ?? now.least);
    const most = Math.min(now.most, known?.most ?? now.most);
    const isFresh = known !== undefined && cameAt - known.since < forgottenAfterMs && least <= most;
    this.#ahead = isFresh ? { least, most, since: known.since } : { ...now, since: cameAt };
  }

  /** Undefined before the first answer. */
  offset(): ClockOffset | undefined {
    if (!this.#ahead) return undefined;
    const { least, most } = this.#ahead;
    return {
      against: 'kubernetes-api',
      aheadMs: 0 - Math.round((least + most) / 2),
      withinMs: Math.ceil((most - least) / 2),
    };
  }
}
