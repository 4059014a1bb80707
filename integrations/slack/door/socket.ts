import { setTimeout as sleep } from 'node:timers/promises';
import type { App, Receiver } from '@slack/bolt';
import { SocketModeClient } from '@slack/socket-mode';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { FirebreakError } from '../../../core/errors.ts';
import { callSlack, type SlackEndpoint, silentLogger, slackClientOptions } from '../client.ts';
import type { ClickRefusal } from '../refusal.ts';
import { handOver } from './hand-over.ts';

/** While Slack refreshes one connection, which it does every few hours, the other one listens. */
const connections = 2;
const helloWithinMs = 10_000;
/** A connection that ends sooner counts as failed. */
const livedMs = 1_000;
const longestPauseMs = 30_000;
/** Slack does not resend anything for longer than it waits for an answer; a click also has its own id. */
const rememberedEnvelopes = 20_000;
const finishWithinMs = 2_000;

/** https://docs.slack.dev/apis/events-api/using-socket-mode */
const envelope = z.object({
  envelope_id: z.string().min(1).max(200),
  body: z.record(z.string(), z.unknown()),
  accepts_response_payload: z.boolean().optional(),
});
const hello = z.object({ type: z.literal('hello'), connection_info: z.object({ app_id: z.string() }) });
const goodbye = z.object({
  type: z.literal('disconnect'),
  reason: z
    .string()
    .regex(/^[a-z_]{1,40}$/)
    .catch('unknown'),
});

interface SocketOptions extends SlackEndpoint {
  readonly appToken: string;
  readonly appId: string;
  readonly onRefused: (refusal: ClickRefusal) => void;
  readonly onFault: (error: unknown) => void;
  readonly log: (message: string, facts: Readonly<Record<string, string>>) => void;
}

type Ack = (content?: object) => Promise<void>;

/**
 * Passes Slack's Socket Mode requests to Bolt, for sites that nothing can reach from outside. These requests are not signed. Instead, we rely on the
 * connection, which we open with our own token and which belongs to our app. Replaces Bolt's own receiver, which passes repeated envelopes on, has one
 * connection, and is lost when a reconnection fails.
 */
export class SocketReceiver implements Receiver {
  readonly #options: SocketOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  /** Envelope → its answer. A resent envelope is answered again, but processed once. */
  readonly #answers = new LRUCache<string, Promise<object | undefined>>({ max: rememberedEnvelopes });
  #kept: readonly Promise<void>[] = [];
  #app: App | undefined;

  constructor(options: SocketOptions) {
    this.#options = options;
  }

  init(app: App): void {
    this.#app = app;
  }

  /** Does not wait for Slack: connecting is retried for as long as it takes. */
  async start(): Promise<void> {
    this.#kept = Array.from({ length: connections }, () => this.#keep());
  }

  /** Finishes requests that have already arrived first. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.race([Promise.allSettled(this.#running), sleep(finishWithinMs, undefined, { ref: false })]);
    await Promise.allSettled(this.#kept);
  }

  /** Opens one connection after another. Never rejects. */
  async #keep(): Promise<void> {
    const { signal } = this.#stopping;
    let failed = 0;
    while (!signal.aborted) {
      const began = Date.now();
      const fault = await this.#connection().then(
        () => undefined,
        (error: unknown) => (error instanceof FirebreakError ? error : noHello()),
      );
      if (signal.aborted) return;
      if (fault) this.#options.log('slack socket is down; trying again', { error: fault.code, reason: fault.detail });
      failed = !fault && Date.now() - began >= livedMs ? 0 : failed + 1;
      if (failed > 0) await sleep(Math.min(250 * 2 ** failed, longestPauseMs), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Resolves when the connection has ended, or is about to. @throws if it was never established. */
  async #connection(): Promise<void> {
    const { appToken, appId, log, apiUrl, timeoutMs } = this.#options;
    const { logger, logLevel: _, ...clientOptions } = slackClientOptions({ apiUrl, timeoutMs });
    const client = new SocketModeClient({ appToken, autoReconnectEnabled: false, logger: logger ?? silentLogger, clientOptions });
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    let strange = false;
    client.on('ws_message', (data: unknown) => {
      const message = read(data);
      const greeting = hello.safeParse(message);
      strange ||= greeting.success && greeting.data.connection_info.app_id !== appId;
      const farewell = goodbye.safeParse(message);
      if (!farewell.success) return;
      log('slack is closing a socket; opening another', { reason: farewell.data.reason });
      end();
    });
    client.on('slack_event', (given: { readonly ack: Ack }) => this.#take(given));
    client.on('disconnected', () => end());
    const stop = (): void => end();
    this.#stopping.signal.addEventListener('abort', stop);
    try {
      const started = callSlack('apps.connections.open', () => client.start());
      await Promise.race([started, ended, sleep(helloWithinMs, undefined, { ref: false }).then(() => Promise.reject(noHello()))]);
      if (strange) throw new FirebreakError('FB_ERR_REFUSED', 'the app-level token belongs to another app than slack.appId');
      await ended;
    } finally {
      this.#stopping.signal.removeEventListener('abort', stop);
      await close(client);
    }
  }

  #take(given: { readonly ack: Ack }): void {
    const parsed = envelope.safeParse(given);
    if (!parsed.success) {
      this.#options.onRefused({ reason: 'malformed', detail: 'the envelope lacks fields that Slack always sends' });
      return;
    }
    const { envelope_id: id, body, accepts_response_payload: mayAnswer } = parsed.data;
    const known = this.#answers.get(id);
    const answered = known ?? this.#begin(id, body);
    // A connection that has ended meanwhile accepts no answer: Slack sends the envelope again, and gets it then.
    void answered.then((content) => given.ack(mayAnswer === false ? undefined : content)).catch(() => undefined);
  }

  #begin(id: string, body: Record<string, unknown>): Promise<object | undefined> {
    const { onRefused, onFault } = this.#options;
    const { promise, resolve } = Promise.withResolvers<object | undefined>();
    this.#answers.set(id, promise);
    const answer = (content?: unknown): void => resolve(typeof content === 'object' && content !== null ? content : undefined);
    const running = handOver({ app: this.#app, body, answer, onRefused, onFault });
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
    return promise;
  }
}

function noHello(): FirebreakError {
  return new FirebreakError('FB_ERR_UNAVAILABLE', 'Slack sent no hello on the connection');
}

function read(data: unknown): unknown {
  try {
    return typeof data === 'string' ? JSON.parse(data) : undefined;
  } catch {
    return undefined;
  }
}

/** Called twice: Slack does not close its side, and the second time the client no longer waits for that. */
async function close(client: SocketModeClient): Promise<void> {
  void client.disconnect().catch(() => undefined);
  await sleep(100);
  void client.disconnect().catch(() => undefined);
}
