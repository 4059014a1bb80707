import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { stringify } from 'yaml';
import { bind, type Metrics } from '../../../../integrations/http-door.ts';
import { checkConfig, loadConfig } from '../../../../service/config/load.ts';
import { resolveSecrets } from '../../../../service/config/secrets.ts';
import { encodeMetrics } from '../../../../service/process/telemetry/otlp.ts';
import { openTelemetry, type Telemetry } from '../../../../service/process/telemetry/telemetry.ts';
import { eventually } from '../../../eventually.ts';

interface Received {
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const ends: (() => unknown)[] = [];
const ref = { id: 'incident/prod/shop/Deployment/cart', run: 'run-1' };
const codecKey = randomBytes(32).toString('base64');

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function collector(answer: (response: ServerResponse, nth: number) => void) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ path: request.url, headers: request.headers, body: Buffer.concat(chunks) });
      answer(response, received.length);
    });
  });
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${await bind(server, { host: '127.0.0.1', port: 0 })}`, received };
}

function configOf(telemetry: object, env: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-telemetry-'));
  ends.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'firebreak.yaml');
  const config = {
    cluster: 'prod',
    temporal: { codecKeys: [{ id: 'a', key: { env: 'KEY' } }] },
    intake: { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] },
    roster: { people: [{ id: 'ada', name: 'Ada', slack: ['U01ADA'] }], groups: { oncall: ['ada'], leads: ['ada'] } },
    telemetry,
  };
  writeFileSync(path, stringify(config));
  return { path, folder, env: { KEY: codecKey, ...env } };
}

function opened(telemetry: object, env: Readonly<Record<string, string>> = {}): Telemetry {
  const quick = { OTEL_BSP_SCHEDULE_DELAY: '1', OTEL_METRIC_EXPORT_INTERVAL: '20', ...env };
  const { path, env: all } = configOf(telemetry, quick);
  const config = loadConfig({ path, env: all });
  const secrets = resolveSecrets({ config, env: all, roles: ['packs'] });
  const open = openTelemetry({ config, secrets, roles: ['packs'], log: pino({ level: 'silent' }) });
  if (!open) throw new Error('nothing is sent');
  ends.push(() => open.stop());
  return open;
}

const work = (telemetry: Telemetry, name = 'work') => telemetry.tracing?.within(ref, { name }, async () => undefined);
const droppedOf = async ({ metrics }: Telemetry): Promise<number> => {
  const [dropped] = await metrics.read();
  return dropped?.values.find(({ labels }) => labels.signal === 'traces')?.value ?? 0;
};

describe('spans', () => {
  test('go to the collector with headers from a file, which is read again', async () => {
    const { url, received } = await collector((response) => response.end('{}'));
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-telemetry-'));
    ends.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'headers');
    writeFileSync(file, 'authorization=Bearer%20one,x-tenant=shop\n');
    const telemetry = opened({ otlp: { endpoint: `${url}/`, headers: { file } } }, { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' });
    await work(telemetry);
    await eventually('the first', () => received.length > 0);
    writeFileSync(file, 'authorization=Bearer%20two');
    await work(telemetry);
    await eventually('the second', () => received.length > 1);
    const [first, second] = received;
    expect(first?.path).toBe('/v1/traces');
    expect(first?.headers).toMatchObject({ authorization: 'Bearer one', 'x-tenant': 'shop' });
    expect(second?.headers.authorization).toBe('Bearer two');
    const sent = JSON.parse(gunzipSync(first?.body ?? Buffer.alloc(0)).toString());
    expect(sent.resourceSpans[0].scopeSpans[0].spans[0]).toMatchObject({ name: 'work', kind: 1 });
    expect(sent.resourceSpans[0].resource.attributes).toContainEqual({
      key: 'firebreak.cluster',
      value: { stringValue: 'prod' },
    });
  });

  test('are sent again if the collector asks for that, and dropped and counted if it refuses', async () => {
    const { url, received } = await collector((response, nth) => {
      response.statusCode = nth === 1 ? 503 : nth === 2 ? 200 : 400;
      response.end();
    });
    const telemetry = opened({ otlp: { endpoint: url, metrics: false } });
    await work(telemetry);
    await eventually('the second try', () => received.length > 1);
    expect(received[1]?.body).toEqual(received[0]?.body);
    await work(telemetry);
    await eventually('it is dropped', async () => (await droppedOf(telemetry)) === 1);
    expect(received).toHaveLength(3);
  });

  test('delay nothing if the collector hangs: work goes on, the queue is limited, and so is a stop', async () => {
    const { url, received } = await collector(() => undefined);
    const telemetry = opened({ otlp: { endpoint: url, metrics: false } });
    for (let nth = 0; nth < 6_000; nth += 1) await work(telemetry);
    await eventually('the first request', () => received.length === 1);
    expect(await droppedOf(telemetry)).toBeGreaterThan(0);
    await telemetry.stop();
    expect(received).toHaveLength(1);
  });

  test('are dropped while a header is invalid, and sent again once the file is fixed', async () => {
    const { url, received } = await collector((response) => response.end('{}'));
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-telemetry-'));
    ends.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'headers');
    writeFileSync(file, 'authorization=one%0Atwo');
    const telemetry = opened({ otlp: { endpoint: url, metrics: false, headers: { file } } });
    await work(telemetry);
    await eventually('it is dropped', async () => (await droppedOf(telemetry)) === 1);
    writeFileSync(file, 'authorization=one');
    await work(telemetry);
    await eventually('the next arrives', () => received.length === 1);
  });

  test('are dropped if nothing is listening', async () => {
    const telemetry = opened({ otlp: { endpoint: 'http://127.0.0.1:9', metrics: false } });
    await work(telemetry);
    await telemetry.stop();
    await eventually('it is dropped', async () => (await droppedOf(telemetry)) > 0);
  });
});

describe('metrics', () => {
  const registry = new Registry();
  const registers = [registry];
  new Counter({ name: 'firebreak_done_total', help: 'Done', labelNames: ['kind'], registers }).inc({ kind: 'a' }, 3);
  new Gauge({ name: 'firebreak_waiting', help: 'Waiting', registers }).set(0.5);
  const seconds = new Histogram({ name: 'firebreak_seconds', help: 'Took', buckets: [0.1, 1], registers });
  for (const took of [0.05, 0.5, 0.6, 5]) seconds.observe(took);
  const source: Metrics = { contentType: '', text: async () => '', read: () => registry.getMetricsAsJSON() };

  test('are those that Prometheus scrapes, under the same names', async () => {
    const encoded = encodeMetrics({}, await registry.getMetricsAsJSON(), { sinceMs: 1_000, nowMs: 2_000.5 });
    const times = { startTimeUnixNano: '1000000000', timeUnixNano: '2000500000' };
    expect(encoded).toMatchObject({
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                {
                  name: 'firebreak_done_total',
                  sum: {
                    isMonotonic: true,
                    dataPoints: [{ attributes: [{ key: 'kind', value: { stringValue: 'a' } }], ...times, asDouble: 3 }],
                  },
                },
                { name: 'firebreak_waiting', gauge: { dataPoints: [{ asDouble: 0.5 }] } },
                {
                  name: 'firebreak_seconds',
                  histogram: { dataPoints: [{ count: '4', explicitBounds: [0.1, 1], bucketCounts: ['1', '2', '1'] }] },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  test('are sent at their interval, and continue after the collector was down', async () => {
    const { url, received } = await collector((response, nth) => {
      response.statusCode = nth === 1 ? 400 : 200;
      response.end();
    });
    const telemetry = opened({ otlp: { endpoint: url, traces: false } });
    expect(telemetry.tracing).toBeUndefined();
    telemetry.follow(source);
    await eventually('a later reading', () => received.length > 2);
    expect(received[0]?.path).toBe('/v1/metrics');
    const { metrics } = JSON.parse(received[2]?.body.toString() ?? '').resourceMetrics[0].scopeMetrics[0];
    expect(metrics.map(({ name }: { readonly name: string }) => name)).toEqual([
      'firebreak_done_total',
      'firebreak_waiting',
      'firebreak_seconds',
    ]);
  });
});

describe('what the configuration and the environment say', () => {
  const read = (telemetry: object, env: Readonly<Record<string, string>> = {}) => {
    const { path, env: all } = configOf(telemetry, env);
    return loadConfig({ path, env: all }).telemetry.otlp;
  };

  test('nothing is sent unless the file says so, whatever the environment says', () => {
    expect(read({}, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' })).toBeUndefined();
    expect(read({ otlp: {} }, { OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
  });

  test('the standard variables fill in what the file leaves open, and then the defaults of the standard', () => {
    expect(read({ otlp: {} })?.signals.traces?.url).toBe('http://localhost:4318/v1/traces');
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector:4318',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'https://metrics:9/exactly/here',
      OTEL_EXPORTER_OTLP_TIMEOUT: '5000',
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '7000',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/etc/ca.pem',
      OTEL_EXPORTER_OTLP_HEADERS: 'a=b',
      OTEL_SERVICE_NAME: 'firebreak-eu',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=prod,team=se%20curity',
    };
    expect(read({ otlp: {} }, env)).toMatchObject({
      signals: {
        traces: { url: 'https://collector:4318/v1/traces', timeoutMs: 7_000, ca: { file: '/etc/ca.pem' } },
        metrics: { url: 'https://metrics:9/exactly/here', timeoutMs: 5_000, headers: { env: 'OTEL_EXPORTER_OTLP_HEADERS' } },
      },
      serviceName: 'firebreak-eu',
      resource: { 'deployment.environment.name': 'prod', team: 'se curity' },
    });
    expect(read({ otlp: { endpoint: 'http://mine:1' } }, env)?.signals.metrics?.url).toBe('http://mine:1/v1/metrics');
    expect(read({ otlp: {} }, { OTEL_TRACES_EXPORTER: 'none' })?.signals.traces).toBeUndefined();
  });

  test('gRPC, which is not supported, is refused with what to write instead', () => {
    const { path, env } = configOf({ otlp: {} }, { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
    const checked = checkConfig({ path, env });
    expect(checked.ok ? [] : checked.problems.map(({ remedy }) => remedy)).toContainEqual(expect.stringContaining('4318'));
  });
});
