import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { OtlpAccess, OtlpEndpoint } from '../../config/complete/complete-telemetry.ts';
import { untraced } from './tracing.ts';

/** `again`: it may be sent once more. */
export type OtlpOutcome = { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly again: boolean };

/** https://opentelemetry.io/docs/specs/otlp/#failures-1 */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Between tries of what may be sent again. */
const pausesMs = [1_000, 2_000, 4_000];
const compress = promisify(gzip);

/** Sends OTLP over HTTP to one address, one request at a time. What it says is never believed further than taken or not. */
export class OtlpSender {
  readonly #to: OtlpEndpoint;
  readonly #access: () => OtlpAccess;
  readonly #signal: AbortSignal;
  #agent: { readonly of: string; readonly agent: PlainAgent } | undefined;

  constructor(options: { readonly to: OtlpEndpoint; readonly access: () => OtlpAccess; readonly signal: AbortSignal }) {
    this.#to = options.to;
    this.#access = options.access;
    this.#signal = options.signal;
  }

  /** Never rejects, and takes no longer than the time limit for each of its tries. */
  async send(body: object): Promise<OtlpOutcome> {
    const text = JSON.stringify(body);
    const bytes = this.#to.compression === 'gzip' ? await compress(text) : Buffer.from(text);
    for (const pause of [...pausesMs, undefined]) {
      // Headers or certificates that are none are refused by Node itself, at once.
      const sent = await untraced(() => this.#once(bytes)).catch(
        (): OtlpOutcome => ({ ok: false, reason: 'its headers or certificates cannot be used', again: false }),
      );
      if (sent.ok || !sent.again || pause === undefined || this.#signal.aborted) return sent;
      await sleep(pause, undefined, { signal: this.#signal, ref: false }).catch(() => undefined);
    }
    return { ok: false, reason: 'stopped', again: false };
  }

  close(): void {
    this.#agent?.agent.destroy();
  }

  #once(body: Uint8Array): Promise<OtlpOutcome> {
    const { url, timeoutMs, compression } = this.#to;
    const { headers, ...tls } = this.#access();
    const isPlain = url.startsWith('http:');
    const failed = (reason: string): OtlpOutcome => ({ ok: false, reason, again: true });
    return new Promise((resolve) => {
      const call = (isPlain ? plainRequest : request)(url, {
        method: 'POST',
        agent: this.#agentFor(isPlain, tls),
        headers: {
          'content-type': 'application/json',
          'content-length': body.length,
          ...(compression === 'gzip' && { 'content-encoding': 'gzip' }),
          ...headers,
        },
      });
      // From the first byte to the last: a collector that answers a byte a second is none.
      const limit = setTimeout(() => {
        resolve(failed('no answer in time'));
        call.destroy();
      }, timeoutMs).unref();
      call.on('response', (response) => {
        const { statusCode = 0 } = response;
        response.on('error', () => undefined).resume();
        response.on('end', () => {
          clearTimeout(limit);
          if (statusCode >= 200 && statusCode < 300) resolve({ ok: true });
          else resolve({ ok: false, reason: `HTTP status ${statusCode}`, again: retryable.has(statusCode) });
        });
      });
      call.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(limit);
        resolve(failed(error.code ?? 'no connection'));
      });
      call.end(body);
    });
  }

  #agentFor(isPlain: boolean, tls: Omit<OtlpAccess, 'headers'>): PlainAgent {
    const of = JSON.stringify(tls);
    if (this.#agent?.of !== of) {
      this.#agent?.agent.destroy();
      const common = { keepAlive: true, maxSockets: 1 };
      this.#agent = { of, agent: isPlain ? new PlainAgent(common) : new Agent({ ...common, ...tls }) };
    }
    return this.#agent.agent;
  }
}
