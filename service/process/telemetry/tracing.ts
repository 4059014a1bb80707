import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { FirebreakError } from '../../../core/errors.ts';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import { type IncidentTrace, traceOf } from '../../../core/incident/incident-trace.ts';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** Names, numbers and codes. Never text from an alert, a body, a header or a secret. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** An operation with its start and end, in milliseconds since 1970. */
export interface TraceSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Absent: the root span. */
  readonly parentId?: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  /** An error code, if it failed. */
  readonly error?: string | undefined;
}

export interface SpanOptions {
  readonly name: string;
  readonly kind?: SpanKind;
  readonly attributes?: SpanAttributes;
}

type Parts = Pick<TraceSpan, 'spanId' | 'name' | 'kind' | 'startMs' | 'endMs' | 'attributes' | 'error'> & {
  readonly parentId: string | undefined;
};

/** Maximum number of spans that wait for a trace to be joined. */
const mostWaiting = 200;

/** The spans of one trace, which wait until its incident has been started. */
class OpenTrace {
  readonly #emit: (span: TraceSpan) => void;
  #joined: { readonly traceId: string; readonly under: string } | undefined;
  #waiting: Parts[] = [];

  constructor(emit: (span: TraceSpan) => void, joined?: { readonly traceId: string; readonly under: string }) {
    this.#emit = emit;
    this.#joined = joined;
  }

  get traceId(): string | undefined {
    return this.#joined?.traceId;
  }

  join(traceId: string, under: string): void {
    this.#joined = { traceId, under };
    for (const parts of this.#waiting.splice(0)) this.add(parts);
  }

  add(parts: Parts): void {
    if (this.#joined) this.#emit({ ...parts, traceId: this.#joined.traceId, parentId: parts.parentId ?? this.#joined.under });
    else if (this.#waiting.length < mostWaiting) this.#waiting.push(parts);
  }
}

interface ActiveSpan {
  readonly trace: OpenTrace;
  /** Undefined: spans started here are children of the span that the trace is joined to. */
  readonly spanId: string | undefined;
}

/** One for the whole process: an asynchronous call belongs to the span in which it was started. Costs nothing while nothing is traced. */
const active = new AsyncLocalStorage<ActiveSpan | undefined>();

/** Passes the spans of incidents to an exporter. If nothing is exported, there is no Tracing, and nothing is measured. */
export class Tracing {
  readonly #emit: (span: TraceSpan) => void;

  constructor(emit: (span: TraceSpan) => void) {
    this.#emit = emit;
  }

  /** Runs work for an incident in a span below that of its workflow; API calls in it become child spans. */
  within<T>(ref: IncidentRef, options: SpanOptions, work: () => Promise<T>): Promise<T> {
    const { traceId, workflowSpan } = traceOf(ref);
    const trace = new OpenTrace(this.#emit, { traceId, under: workflowSpan });
    return active.run({ trace, spanId: undefined }, () => traced(options, work));
  }

  /** Runs work for an incident that may not have been started yet: its spans wait for `join`. Spans that never join are dropped. */
  ahead<T>(work: (join: (traceId: string, under: string) => void) => T): T {
    const trace = new OpenTrace(this.#emit);
    return active.run({ trace, spanId: undefined }, () => work((traceId, under) => trace.join(traceId, under)));
  }

  /** Records a finished operation in the trace of an incident. */
  record(
    ref: IncidentRef,
    place: (of: IncidentTrace) => { readonly spanId?: string; readonly parentId?: string },
    span: Omit<SpanOptions, 'kind'> & Pick<TraceSpan, 'startMs' | 'endMs' | 'kind' | 'error'>,
  ): Pick<TraceSpan, 'traceId' | 'spanId'> {
    const trace = traceOf(ref);
    const { traceId } = trace;
    const { spanId = newSpanId(), parentId } = place(trace);
    const { attributes = {}, ...others } = span;
    this.#emit({ ...others, attributes, traceId, spanId, parentId });
    return { traceId, spanId };
  }
}

/** Runs a part of the current trace in its own span; if nothing is traced, only runs the work. */
export async function traced<T>({ name, kind = 'internal', attributes = {} }: SpanOptions, work: () => Promise<T>): Promise<T> {
  const within = active.getStore();
  if (!within) return work();
  const spanId = newSpanId();
  const finish = stopwatch();
  const add = (error?: string): void =>
    within.trace.add({ spanId, parentId: within.spanId, name, kind, attributes, ...finish(), error });
  try {
    const value = await active.run({ trace: within.trace, spanId }, work);
    add();
    return value;
  } catch (error) {
    add(errorCodeOf(error));
    throw error;
  }
}

/** For an operation that ends elsewhere, such as a request. Undefined if nothing is traced. */
export function beginSpan(): ((span: SpanOptions & Pick<TraceSpan, 'error'>) => void) | undefined {
  const within = active.getStore();
  if (!within) return undefined;
  const finish = stopwatch();
  const spanId = newSpanId();
  return ({ name, kind = 'internal', attributes = {}, error }) =>
    within.trace.add({ spanId, parentId: within.spanId, name, kind, attributes, ...finish(), error });
}

/** Returns the fields for a log line that belongs to a trace. */
export function traceFields(): Readonly<Record<string, string>> {
  const within = active.getStore();
  const traceId = within?.trace.traceId;
  if (traceId === undefined) return {};
  return { traceId, ...(within?.spanId !== undefined && { spanId: within.spanId }) };
}

/** Runs work that belongs to no incident, such as sending spans. */
export function untraced<T>(work: () => T): T {
  return active.run(undefined, work);
}

function newSpanId(): string {
  return randomBytes(8).toString('hex');
}

/** Takes the start from the wall clock and the duration from the monotonic clock. */
function stopwatch(): () => Pick<TraceSpan, 'startMs' | 'endMs'> {
  const startMs = Date.now();
  const began = performance.now();
  return () => ({ startMs, endMs: startMs + (performance.now() - began) });
}

/** Our own errors by their code, others only by name: their messages may contain bodies and headers. */
function errorCodeOf(error: unknown): string {
  if (error instanceof FirebreakError) return error.code;
  return error instanceof Error ? error.name : 'error';
}
