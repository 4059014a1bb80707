import { setTimeout as sleep } from 'node:timers/promises';
import type { OtlpOutcome } from './otlp-sender.ts';
import type { TraceSpan } from './tracing.ts';

/** Maximum number of queued spans, of about a kilobyte each. */
const mostSpans = 4_096;
const mostInBatch = 512;

interface SpanExporterOptions {
  /** Never rejects. */
  readonly send: (spans: readonly TraceSpan[]) => Promise<OtlpOutcome>;
  readonly everyMs: number;
  /** Called with the number of dropped spans, and the reason. */
  readonly dropped: (spans: number, reason: string) => void;
}

/** Queues spans for a collector. Adding a span never waits; spans that the collector does not accept in time are dropped. */
export class SpanExporter {
  readonly #options: SpanExporterOptions;
  #spans: TraceSpan[] = [];
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: SpanExporterOptions) {
    this.#options = options;
  }

  add(span: TraceSpan): void {
    if (this.#stopped || this.#spans.length >= mostSpans) {
      this.#options.dropped(1, this.#stopped ? 'stopped' : 'queue full');
      return;
    }
    this.#spans.push(span);
    if (this.#spans.length >= mostInBatch) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), this.#options.everyMs).unref();
  }

  /** Sends the queued spans, for at most `withinMs`. */
  async stop(withinMs: number): Promise<void> {
    this.#flush();
    this.#stopped = true;
    const late = new AbortController();
    const over = sleep(withinMs, undefined, { signal: late.signal }).catch(() => undefined);
    await Promise.race([this.#sending, over]);
    late.abort();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      if (this.#spans.length > 0 && !this.#stopped) this.#flush();
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#spans.length > 0) {
      const batch = this.#spans.splice(0, mostInBatch);
      const sent = await this.#options.send(batch);
      if (!sent.ok) this.#options.dropped(batch.length, sent.reason);
    }
  }
}
