import type { MetricsRead } from '../../../integrations/http-door.ts';
import type { SpanAttributes, SpanKind, TraceSpan } from './tracing.ts';

/** OTLP as JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. 64-bit numbers are strings, ids are hex. */

type MetricRead = MetricsRead[number];

export type Resource = Readonly<Record<string, string>>;

const kinds: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const failed = 2;
const cumulative = 2;
const scope = { name: 'firebreak' };

/** Encodes the body for `/v1/traces`. */
export function encodeSpans(resource: Resource, spans: readonly TraceSpan[]): object {
  const encoded = spans.map(({ traceId, spanId, parentId, name, kind, startMs, endMs, attributes, error }) => ({
    traceId,
    spanId,
    ...(parentId !== undefined && { parentSpanId: parentId }),
    name,
    kind: kinds[kind],
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: encodeAttributes({ ...attributes, ...(error !== undefined && { 'error.type': error }) }),
    ...(error !== undefined && { status: { code: failed } }),
  }));
  return { resourceSpans: [{ resource: { attributes: encodeAttributes(resource) }, scopeSpans: [{ scope, spans: encoded }] }] };
}

/**
 * Encodes the body for `/v1/metrics`: the metrics that Prometheus reads, under the same names.
 *
 * @param at when they were read, and since when counters count, in milliseconds since 1970
 */
export function encodeMetrics(
  resource: Resource,
  metrics: MetricsRead,
  at: { readonly sinceMs: number; readonly nowMs: number },
): object {
  const encoded = metrics.filter(({ values }) => values.length > 0).map((metric) => encodeMetric(metric, at));
  return {
    resourceMetrics: [{ resource: { attributes: encodeAttributes(resource) }, scopeMetrics: [{ scope, metrics: encoded }] }],
  };
}

function encodeMetric(
  { name, help, type, values }: MetricRead,
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
): object {
  const times = { startTimeUnixNano: nanoseconds(sinceMs), timeUnixNano: nanoseconds(nowMs) };
  const common = { name, description: help };
  // prom-client's types declare an enum, but its objects hold a string.
  const kind: string = String(type);
  if (kind === 'histogram')
    return { ...common, histogram: { aggregationTemporality: cumulative, dataPoints: histogramPoints(name, values, times) } };
  const points = values.map(({ labels, value }) => ({
    attributes: encodeAttributes(labelsOf(labels)),
    ...times,
    asDouble: value,
  }));
  if (kind === 'counter')
    return { ...common, sum: { aggregationTemporality: cumulative, isMonotonic: true, dataPoints: points } };
  return { ...common, gauge: { dataPoints: points } };
}

/** prom-client's buckets are cumulative; OTLP counts each bucket separately. */
function histogramPoints(name: string, values: MetricRead['values'], times: object): object[] {
  const series = new Map<
    string,
    { readonly labels: SpanAttributes; readonly buckets: [number, number][]; sum: number; count: number }
  >();
  for (const { labels, value, metricName } of values as readonly (MetricRead['values'][number] & {
    readonly metricName?: string;
  })[]) {
    const { le, ...others } = labelsOf(labels);
    const key = JSON.stringify(Object.entries(others).sort());
    const one = series.get(key) ?? { labels: others, buckets: [], sum: 0, count: 0 };
    series.set(key, one);
    if (metricName === `${name}_sum`) one.sum = value;
    else if (metricName === `${name}_count`) one.count = value;
    else one.buckets.push([le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value]);
  }
  return [...series.values()].map(({ labels, buckets, sum, count }) => {
    const sorted = buckets.sort(([a], [b]) => a - b);
    return {
      attributes: encodeAttributes(labels),
      ...times,
      count: String(count),
      sum,
      explicitBounds: sorted.map(([bound]) => bound).filter(Number.isFinite),
      bucketCounts: sorted.map(([, below], index) => String(below - (sorted[index - 1]?.[1] ?? 0))),
    };
  });
}

function labelsOf(labels: MetricRead['values'][number]['labels']): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
}

function encodeAttributes(attributes: SpanAttributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: encodeValue(value) }));
}

function encodeValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Converts fractional milliseconds; a single number would not be exact. */
function nanoseconds(ms: number): string {
  const whole = Math.floor(ms);
  return `${BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1_000_000))}`;
}
