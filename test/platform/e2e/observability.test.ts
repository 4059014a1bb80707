import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import { traceOf } from '../../../core/incident/incident-trace.ts';
import { type CollectorServer, startCollector } from '../../../tools/platform/collector-server.ts';
import { freePorts } from '../../../tools/platform/ports.ts';
import { type PrometheusServer, startPrometheus } from '../../../tools/platform/prometheus.ts';
import { ocsfProblems } from '../../core/streams/events.ts';
import { testPlatform } from '../../platform.ts';
import { ReceivingServer } from '../../service/streams/receiving-server.ts';
import { until, type Workload } from './parts/cluster.ts';
import { containedAt, ended, voteUntilAccepted } from './parts/oracle.ts';
import { rulesFile, selectorsIn, seriesOf, shippedQueries } from './parts/queries.ts';
import { ana, ben, labels, Service } from './parts/service.ts';

interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
}
interface Batch {
  readonly resourceSpans?: readonly { readonly scopeSpans: readonly { readonly spans: readonly ReceivedSpan[] }[] }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly { readonly name: string }[] }[];
  }[];
}

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-collector-'));
let collector: CollectorServer;
let prometheus: PrometheusServer | undefined;
let siem: ReceivingServer;
let hanging: ReceivingServer;
let service: Service;
let workload: Workload;
let seen: IncidentRef;

const received = (): readonly Batch[] => collector.received() as readonly Batch[];
const spans = (): readonly ReceivedSpan[] =>
  received().flatMap(({ resourceSpans = [] }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  );

beforeAll(async () => {
  collector = await startCollector({ stateDir: folder });
  siem = await ReceivingServer.open();
  hanging = await ReceivingServer.open();
  hanging.decide = () => 'hang';
  const { status } = await freePorts({ names: ['status'] });
  // As the operator would write it from the chart's ServiceMonitor, but more frequent; the operator adds these labels.
  const target = { targets: [`127.0.0.1:${status}`], labels: { namespace: 'firebreak', pod: 'firebreak-0' } };
  prometheus = await startPrometheus({
    stateDir: join(folder, 'prometheus'),
    config: {
      global: { scrape_interval: '5s', scrape_timeout: '5s', evaluation_interval: '1s' },
      rule_files: [rulesFile],
      scrape_configs: [{ job_name: 'firebreak', metrics_path: '/metrics', static_configs: [target] }],
    },
  });
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    config.streams = [
      { name: 'siem', to: { http: { url: siem.url } } },
      { name: 'hanging', timeoutSeconds: 20, to: { http: { url: hanging.url } } },
    ];
    config.status = { listen: { port: status } };
    config.telemetry = { otlp: { endpoint: collector.url } };
    config.incidents = { ...(config.incidents as object), lingerSeconds: 1 };
  });
  await service.start();
  const [made] = await service.workloads.deploy(namespace, ['traced']);
  if (!made) throw new Error('not deployed');
  workload = made;
});

afterAll(async () => {
  await service?.stop();
  await prometheus?.stop();
  await collector?.stop();
  await siem?.close();
  await hanging?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('an incident is one trace in a real collector: alert, spool, start, workflow, its activities, their calls, and people’s votes', async () => {
  await service.alert(workload);
  await containedAt(service, [workload]);
  const { incident } = await service.stateWhen('the incident', workload, 120_000, () => true);
  seen = incident;
  await voteUntilAccepted(service, workload, ana, labels.release);
  await voteUntilAccepted(service, workload, ben, labels.release);
  await ended(service, [workload]);

  expect(service.log).toContain('head start: quarantinePod');
  const { traceId, alertSpan, startSpan, workflowSpan } = traceOf(incident);
  const own = (): readonly ReceivedSpan[] => spans().filter((span) => span.traceId === traceId);
  await until('the span of the head start', 120_000, () => own().some(({ name }) => name === 'head start'));
  await until('the workflow’s span', 120_000, () => own().some(({ spanId }) => spanId === workflowSpan));

  const all = own();
  const named = (name: string): readonly ReceivedSpan[] => all.filter((span) => span.name === name);
  const parentOf = ({ parentSpanId }: ReceivedSpan): ReceivedSpan | undefined =>
    all.find(({ spanId }) => spanId === parentSpanId);
  const pathOf = (span: ReceivedSpan | undefined): readonly string[] => (span ? [...pathOf(parentOf(span)), span.name] : []);

  expect(named('alert').map(({ spanId }) => spanId)).toContain(alertSpan);
  expect(all.filter(({ parentSpanId }) => !parentSpanId).map(({ spanId }) => spanId)).toEqual([alertSpan]);
  expect(pathOf(named('spool')[0])).toEqual(['alert', 'spool']);
  expect(pathOf(named('start')[0])).toEqual(['alert', 'start']);
  expect(named('start')[0]?.spanId).toBe(startSpan);
  expect(pathOf(named('incident')[0])).toEqual(['alert', 'start', 'incident']);
  expect(pathOf(named('vote')[0])).toEqual(['alert', 'start', 'incident', 'vote']);
  expect(pathOf(named('signal vote')[0])).toContain('vote');
  const calls = all
    .filter(({ name }) => /^(GET|POST|PUT|PATCH|DELETE) /.test(name))
    .map((call) => pathOf(call).slice(3).join(' > '));
  expect(calls).toContainEqual(expect.stringMatching(/^postQuestion > POST \/api\/chat\.postMessage$/));
  const patches = all.filter(({ name }) => name === 'PATCH /api/v1/namespaces/{namespace}/pods/{name}');
  expect(patches.map((call) => pathOf(call).at(-2))).toEqual(
    expect.arrayContaining(['head start', expect.stringMatching(/^undoStep quarantinePod$/)]),
  );

  // All spans are connected, none ends before it begins, and none contains anything that the alert says.
  expect(all.map((span) => pathOf(span)[0])).toEqual(all.map(() => 'alert'));
  for (const { startTimeUnixNano, endTimeUnixNano } of all)
    expect(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano)).toBe(true);
  expect(JSON.stringify(received())).not.toMatch(/Drop and execute|xoxb|Bearer/);
  expect(service.log).toContain(traceId);
});

test('the same collector has the metrics that Prometheus reads', async () => {
  const names = () =>
    new Set(
      received().flatMap(({ resourceMetrics = [] }) =>
        resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics.map(({ name }) => name))),
      ),
    );
  // From the first reading: the next one comes a minute later.
  await until('the numbers of the intake', 180_000, () => names().has('firebreak_intake_durable_seconds'));
  expect([...names()]).toEqual(expect.arrayContaining(['firebreak_at_work', 'firebreak_contain_seconds']));
});

/** Series that appear only once something happens, and series from others: kube-state-metrics, and the doctor by way of the collector. */
const onOtherDays = [
  'firebreak_deadline_seconds',
  'firebreak_doctor_findings{state="error"}',
  'firebreak_intake_alerts_hidden_total',
  'firebreak_intake_sensor_drops_total',
  'firebreak_intake_sensor_messages_total',
  'firebreak_refused_calls_total',
  ...['backup', 'reports'].map((job) => `kube_cronjob_created{cronjob="firebreak-${job}"}`),
  'kube_cronjob_created{cronjob=~"firebreak-doctor-.+"}',
  'kube_cronjob_status_last_schedule_time{cronjob="firebreak-reports"}',
  'kube_cronjob_status_last_schedule_time{cronjob=~"firebreak-doctor-.+"}',
  ...['backup', 'reports'].map((job) => `kube_cronjob_status_last_successful_time{cronjob="firebreak-${job}"}`),
  'kube_cronjob_status_last_successful_time{cronjob=~"firebreak-doctor-.+"}',
];

test('a real Prometheus reads each metric that a rule or dashboard uses, with the labels they use, and no rule fires', async () => {
  if (!prometheus) return;
  const server = prometheus;
  // From the records, once a minute.
  await until('the questions', 300_000, async () => (await seriesOf(server, 'firebreak_questions_in_a_shift')).length > 0);
  const absent = new Set<string>();
  const withoutLabel: string[] = [];
  for (const { query, told } of shippedQueries()) {
    const found = await Promise.all(
      (await selectorsIn(server, query)).map(async ({ text, groupedBy }) => ({
        text,
        groupedBy,
        series: await seriesOf(server, text),
      })),
    );
    for (const { text, groupedBy, series } of found) {
      if (series.length === 0) absent.add(text);
      for (const label of groupedBy) if (series.some((one) => one[label] === undefined)) withoutLabel.push(`${label} of ${text}`);
    }
    const known = new Set(found.flatMap(({ series }) => series.flatMap((one) => Object.keys(one))));
    if (found.every(({ series }) => series.length > 0))
      withoutLabel.push(...told.filter((label) => !known.has(label)).map((label) => `${label} of ${query}`));
  }
  expect([...absent].sort()).toEqual(onOtherDays);
  expect(withoutLabel).toEqual([]);

  const { groups } = (await server.ask('rules')) as {
    readonly groups: readonly {
      readonly rules: readonly { readonly name: string; readonly health: string; readonly state?: string }[];
    }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
  expect(rules.filter(({ state }) => state === 'firing').map(({ name }) => name)).toEqual([]);
});

test('none of this waited for a record stream that hangs: the other has every record, as valid events in order', async () => {
  await until('a delivery that nobody answers', 120_000, () => hanging.hanging > 0);
  expect(hanging.taken).toEqual([]);
  const own = () =>
    siem.events.map((event) => ({
      event,
      ...(event.metadata as { correlation_uid: string; sequence: number; event_code: string }),
    }));
  await until('its end', 120_000, () =>
    own().some((one) => one.correlation_uid.startsWith(`${seen.id}@`) && one.event_code === 'incident.closed'),
  );
  const told = own().filter((one) => one.correlation_uid === `${seen.id}@${seen.run}`);
  const numbers = [...new Set(told.map(({ sequence }) => sequence))];
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => index + 1));
  expect(new Set(told.map(({ event }) => event.class_uid))).toEqual(new Set([2004, 2005, 6003, 7001]));
  const problems = siem.events.flatMap((event) => ocsfProblems({ json: JSON.stringify(event) }));
  expect(problems).toEqual([]);
});
