import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { PostConnection } from '../../../integrations/http-post.ts';
import type { OtlpAccess, OtlpEndpoint } from '../../config/complete/complete-telemetry.ts';
import { untraced } from './tracing.ts';

/** `again`: the request may be retried. */
export type OtlpOutcome = { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly again: boolean };

/** https://opentelemetry.io/docs/specs/otlp/#failures-1 */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Pauses between retries. */
const pausesMs = [1_000, 2_000, 4_000];
const compress = promisify(gzip);

/** Sends OTLP over HTTP to one address, one request at a time. Of the answer, only acceptance or rejection is used. */
export class OtlpSender {
  readonly #to: OtlpEndpoint;
  readonly #access: () => OtlpAccess;
  readonly #signal: AbortSignal;
  readonly #connection: PostConnection;

  constructor(options: { readonly to: OtlpEndpoint; readonly access: () => OtlpAccess; readonly signal: AbortSignal }) {
    this.#to = options.to;
    this.#access = options.access;
    this.#signal = options.signal;
    this.#connection = new PostConnection(options.to);
  }

  /** Never rejects, and no attempt takes longer than the timeout. */
  async send(body: object): Promise<OtlpOutcome> {
    const text = JSON.stringify(body);
    const bytes = this.#to.compression === 'gzip' ? await compress(text) : Buffer.from(text);
    for (const pause of [...pausesMs, undefined]) {
      const sent = await untraced(() => this.#once(bytes));
      if (sent.ok || !sent.again || pause === undefined || this.#signal.aborted) return sent;
      await sleep(pause, undefined, { signal: this.#signal, ref: false }).catch(() => undefined);
    }
    return { ok: false, reason: 'stopped', again: false };
  }

  close(): void {
    this.#connection.close();
  }

  async #once(body: Uint8Array): Promise<OtlpOutcome> {
    const { headers, ...tls } = this.#access();
    const answer = await this.#connection.post(body, {
      tls,
      headers: {
        'content-type': 'application/json',
        ...(this.#to.compression === 'gzip' && { 'content-encoding': 'gzip' }),
        ...headers,
      },
    });
    if ('reason' in answer) return { ok: false, reason: answer.reason, again: !answer.isOurs };
    const { status } = answer;
    return status >= 200 && status < 300
      ? { ok: true }
      : { ok: false, reason: `HTTP status ${status}`, again: retryable.has(status) };
  }
}
