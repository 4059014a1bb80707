import type { Environment, SecretRef } from '../fields.ts';
import type { PlacedProblem } from '../playbook-problems.ts';
import type { FileConfig } from '../schema.ts';

export const otlpSignals = ['traces', 'metrics'] as const;
export type OtlpSignal = (typeof otlpSignals)[number];

/** Where one signal goes. */
export interface OtlpEndpoint {
  readonly url: string;
  readonly timeoutMs: number;
  readonly compression: 'gzip' | 'none';
  readonly headers?: SecretRef;
  readonly ca?: SecretRef;
  readonly cert?: SecretRef;
  readonly key?: SecretRef;
}

/** The credentials for the collector. */
export interface OtlpAccess {
  readonly headers: Readonly<Record<string, string>>;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface TelemetryConfig {
  /** Absent: nothing is sent. */
  readonly otlp?: {
    readonly signals: Readonly<Partial<Record<OtlpSignal, OtlpEndpoint>>>;
    readonly metricsEveryMs: number;
    readonly spansEveryMs: number;
    readonly serviceName: string;
    readonly resource: Readonly<Record<string, string>>;
  };
}

const usualEndpoint = 'http://localhost:4318';

/**
 * Where telemetry goes: as the file says, otherwise as OpenTelemetry's own environment variables say. These do not turn anything on.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function completeTelemetry(options: {
  readonly file: FileConfig['telemetry'];
  readonly env: Environment;
  readonly absolute: (path: string) => string;
  readonly problems: PlacedProblem[];
}): TelemetryConfig {
  const { file, env, problems } = options;
  const { otlp } = file;
  if (!otlp || env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return {};
  const wanted = otlpSignals.filter((signal) => otlp[signal] && env[`OTEL_${signal.toUpperCase()}_EXPORTER`] !== 'none');
  const signals = Object.fromEntries(wanted.map((signal) => [signal, endpointOf(signal, { ...options, otlp })]));
  for (const [signal, { url }] of Object.entries(signals)) {
    if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) continue;
    problems.push({
      at: ['telemetry', 'otlp', 'endpoint'],
      problem: `the environment’s endpoint for ${signal} is not an http or https URL`,
      remedy: 'Write it as http://HOST:4318.',
    });
  }
  return {
    otlp: {
      signals,
      metricsEveryMs: milliseconds(env.OTEL_METRIC_EXPORT_INTERVAL, 60_000),
      spansEveryMs: milliseconds(env.OTEL_BSP_SCHEDULE_DELAY, 2_000),
      serviceName: env.OTEL_SERVICE_NAME ?? 'firebreak',
      resource: pairsIn(env.OTEL_RESOURCE_ATTRIBUTES ?? ''),
    },
  };
}

function endpointOf(
  signal: OtlpSignal,
  {
    otlp,
    env,
    absolute,
    problems,
  }: Parameters<typeof completeTelemetry>[0] & {
    readonly otlp: NonNullable<FileConfig['telemetry']['otlp']>;
  },
): OtlpEndpoint {
  const variable = (name: string): string | undefined =>
    [`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${name}`, `OTEL_EXPORTER_OTLP_${name}`].find((one) => env[one]);
  const given = (name: string): string | undefined => env[variable(name) ?? ''];
  const inFile = (written: string | undefined, name: string): SecretRef | undefined => {
    const file = written === undefined ? given(name) : absolute(written);
    return file === undefined ? undefined : { file };
  };
  if (given('PROTOCOL') === 'grpc')
    problems.push({
      at: ['telemetry', 'otlp'],
      problem: `${variable('PROTOCOL')} asks for gRPC, which is not supported`,
      remedy: 'Set it to http/json, and point the endpoint at the collector’s HTTP port, 4318.',
    });
  const own = otlp.endpoint === undefined ? env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`] : undefined;
  const base = otlp.endpoint ?? env.OTEL_EXPORTER_OTLP_ENDPOINT ?? usualEndpoint;
  const headersIn = variable('HEADERS');
  const headers = otlp.headers ?? (headersIn === undefined ? undefined : { env: headersIn });
  const ca = inFile(otlp.tls?.caFile, 'CERTIFICATE');
  const cert = inFile(otlp.tls?.certFile, 'CLIENT_CERTIFICATE');
  const key = inFile(otlp.tls?.keyFile, 'CLIENT_KEY');
  return {
    url: own ?? `${base.replace(/\/$/, '')}/v1/${signal}`,
    timeoutMs: milliseconds(given('TIMEOUT'), 10_000),
    compression: given('COMPRESSION') === 'gzip' ? 'gzip' : 'none',
    ...(headers && { headers }),
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  };
}

/** @param current reads a secret now, and returns a function that reads it again */
export function readOtlpAccess(
  { signals }: NonNullable<TelemetryConfig['otlp']>,
  current: (path: string, ref: SecretRef) => () => string,
): ReadonlyMap<OtlpSignal, () => OtlpAccess> {
  const part = (name: string, ref: SecretRef | undefined) => ref && current(`telemetry.otlp.${name}`, ref);
  return new Map(
    otlpSignals.flatMap((signal) => {
      const to = signals[signal];
      if (!to) return [];
      const headers = part('headers', to.headers);
      const ca = part('tls.caFile', to.ca);
      const cert = part('tls.certFile', to.cert);
      const key = part('tls.keyFile', to.key);
      const now = (): OtlpAccess => ({
        headers: headers ? pairsIn(headers()) : {},
        ...(ca && { ca: ca() }),
        ...(cert && { cert: cert() }),
        ...(key && { key: key() }),
      });
      return [[signal, now]];
    }),
  );
}

/** Parses `name=value,name=value` with percent-encoded values, as used for headers and resource attributes. Invalid pairs are left out. */
function pairsIn(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').flatMap((pair) => {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    return at < 0 || name === '' ? [] : [[name, decoded(pair.slice(at + 1).trim())] as const];
  });
  return Object.fromEntries(pairs);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function milliseconds(text: string | undefined, usual: number): number {
  const value = Number(text);
  return text !== undefined && Number.isSafeInteger(value) && value > 0 ? value : usual;
}
