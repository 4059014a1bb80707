import { hostname } from 'node:os';
import { Counter, Registry } from 'prom-client';
import type { Metrics, MetricsRead } from '../../../integrations/http-door.ts';
import { type OtlpSignal, otlpSignals } from '../../config/complete/complete-telemetry.ts';
import type { Config } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import { RepeatedTrouble } from '../../temporal/repeated-trouble.ts';
import type { Logger } from '../log.ts';
import { firebreakVersion } from '../project-root.ts';
import { repeat } from '../repeat.ts';
import { encodeMetrics, encodeSpans } from './otlp.ts';
import { type OtlpOutcome, OtlpSender } from './otlp-sender.ts';
import { watchRequests } from './request-spans.ts';
import { SpanExporter } from './span-exporter.ts';
import { Tracing } from './tracing.ts';

export interface Telemetry {
  /** Absent: traces are not sent. */
  readonly tracing?: Tracing | undefined;
  /** Metrics of what did not arrive. */
  readonly metrics: Metrics;
  /** Sends these metrics from now on. */
  follow(metrics: Metrics): void;
  /** Sends these metrics now, for a process that is about to end. */
  sendOnce(metrics: Metrics): Promise<void>;
  /** Sends what is queued, waiting only briefly. */
  stop(): Promise<void>;
}

/** Maximum time that stopping a process waits for a collector. */
const lastWordsMs = 2_000;

/**
 * Sends traces and metrics to an OpenTelemetry collector. Nothing waits for it: what it does not accept is dropped, counted, and logged occasionally. Undefined
 * if none is configured; in that case no measuring code is loaded.
 */
export function openTelemetry(options: {
  readonly config: Pick<Config, 'telemetry' | 'cluster'>;
  readonly secrets: Pick<Secrets, 'telemetry'>;
  readonly roles: readonly string[];
  readonly log: Logger;
}): Telemetry | undefined {
  const { config, secrets, roles, log } = options;
  const { otlp } = config.telemetry;
  if (!otlp) return undefined;
  const stopping = new AbortController();
  const trouble = new RepeatedTrouble();
  const registry = new Registry();
  const dropped = new Counter({
    name: 'firebreak_telemetry_dropped_total',
    help: 'Spans and readings of metrics that the OpenTelemetry collector did not accept',
    labelNames: ['signal'],
    registers: [registry],
  });
  for (const signal of otlpSignals) dropped.inc({ signal }, 0);
  const drop = (signal: OtlpSignal, count: number, reason: string): void => {
    dropped.inc({ signal }, count);
    const soFar = trouble.met(`${signal} ${reason}`);
    if (soFar) log.warn({ signal, reason, ...soFar }, 'the OpenTelemetry collector does not accept data; it is dropped');
  };
  const senderOf = (signal: OtlpSignal): OtlpSender | undefined => {
    const to = otlp.signals[signal];
    const access = secrets.telemetry?.get(signal);
    return to && access && new OtlpSender({ to, access, signal: stopping.signal });
  };
  const heard = (sent: OtlpOutcome): OtlpOutcome => {
    const over = sent.ok ? trouble.over() : undefined;
    if (over) log.info({ ...over }, 'the OpenTelemetry collector accepts data again');
    return sent;
  };
  const resource = {
    'service.name': otlp.serviceName,
    'service.version': firebreakVersion(),
    'service.instance.id': `${hostname()}/${process.pid}`,
    'firebreak.cluster': config.cluster,
    'firebreak.roles': roles.join(','),
    ...otlp.resource,
  };

  const traceSender = senderOf('traces');
  const exporter =
    traceSender &&
    new SpanExporter({
      send: async (spans) => heard(await traceSender.send(encodeSpans(resource, spans))),
      everyMs: otlp.spansEveryMs,
      dropped: (count, reason) => drop('traces', count, reason),
    });
  const requests = exporter && watchRequests();

  const metricSender = senderOf('metrics');
  const sinceMs = Date.now();
  const sendMetrics = async (sender: OtlpSender, source: Metrics): Promise<void> => {
    // An unavailable database is no reason to end.
    const read = await source.read().catch((): MetricsRead => []);
    const sent = await sender.send(encodeMetrics(resource, read, { sinceMs, nowMs: Date.now() }));
    heard(sent);
    if (!sent.ok) drop('metrics', 1, sent.reason);
  };

  return {
    tracing: exporter && new Tracing((span) => exporter.add(span)),
    metrics: {
      contentType: registry.contentType,
      text: () => registry.metrics(),
      read: () => registry.getMetricsAsJSON(),
    },
    follow: (source) => {
      const { metricsEveryMs: everyMs } = otlp;
      if (metricSender) void repeat({ work: () => sendMetrics(metricSender, source), everyMs, signal: stopping.signal });
    },
    sendOnce: async (source) => {
      if (metricSender) await sendMetrics(metricSender, source);
    },
    stop: async () => {
      requests?.stop();
      stopping.abort();
      await exporter?.stop(lastWordsMs);
      traceSender?.close();
      metricSender?.close();
    },
  };
}
