import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { parse, stringify } from 'yaml';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { createWholeProgram } from '../../service/commands/program.ts';
import { createDeadlines } from '../../service/desk/deadlines.ts';
import { createDeskMetrics } from '../../service/desk/desk-metrics.ts';
import { doctorMetrics } from '../../service/doctor/doctor-metrics.ts';
import { IntakeMetrics } from '../../service/intake/metrics.ts';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { RefusedCalls } from '../../service/process/speakers.ts';
import { createProcessMetrics } from '../../service/process/status-server.ts';
import { openTelemetry } from '../../service/process/telemetry/telemetry.ts';
import { createStreamMetrics } from '../../service/streams/streams.ts';
import { dashboards } from '../../tools/deploy/dashboards.ts';
import { promtoolBinary } from '../../tools/platform/prometheus.ts';
import { noSigners } from '../suites/signed-records.ts';

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
}

const root = projectRoot();
const ruleTests = ['rules.test.yaml', 'slow-rules.test.yaml'].map((name) => join(root, 'test', 'fixtures', 'prometheus', name));
const rulesFile = join(root, 'deploy', 'prometheus', 'firebreak.rules.yaml');
const { groups }: { readonly groups: readonly { readonly rules: readonly Rule[] }[] } = parse(readFileSync(rulesFile, 'utf8'));
const rules = groups.flatMap((group) => group.rules);
const queries = dashboards.flatMap(({ panels }) => panels.flatMap((panel) => panel.queries.map(([query]) => query)));
const runbooks = join(root, 'docs', 'runbooks');
const folder = mkdtempSync(join(tmpdir(), 'firebreak-rules-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The names of the metrics that every process exports, whatever its role. */
async function metricNames(): Promise<ReadonlySet<string>> {
  const log = pino({ level: 'silent' });
  const zero = () => 0;
  const intake = new IntakeMetrics({
    spoolBytes: zero,
    spoolShare: zero,
    oldestSeconds: zero,
    openLines: zero,
    refusedForGood: zero,
    storm: { isOn: false, perSecond: 0 },
    orphans: zero,
    standingStill: zero,
    releasesRefused: zero,
    missingRights: () => new Map(),
  });
  const store: Pick<AuditStore, 'eachOfKinds'> = { async *eachOfKinds() {} };
  const desk = createDeskMetrics({ store, trust: { senderOf: () => undefined }, roster: { people: [], groups: {} } });
  const deadlines = createDeadlines({
    store: { ...store, storedChain: async () => ({ records: [] }) },
    ...{ trust: { senderOf: () => undefined }, signers: noSigners, journal: { record: async () => undefined }, log },
    ...{ entity: 'other' as const, group: 'oncall', before: [], roster: { people: [], groups: {} } },
  });
  const otlp = { signals: {}, metricsEveryMs: 1, spansEveryMs: 1, serviceName: 'firebreak', resource: {} };
  const telemetry = openTelemetry({ config: { cluster: 'prod', telemetry: { otlp } }, secrets: {}, roles: [], log });
  const streams = createStreamMetrics({ lag: async () => ({ records: 0, chains: 0 }) }, ['siem']);
  const others = [desk, deadlines.metrics, streams, ...(telemetry ? [telemetry.metrics] : [])];
  const process = createProcessMetrics({ refused: new RefusedCalls(log), isAtWork: () => true, others });
  const doctor = doctorMetrics({ found: [{ check: 'disk', state: 'ok', text: '' }], roles: [] });
  const texts = await Promise.all([process.text(), intake.withProcess(), doctor.text()]);
  await telemetry?.stop();
  return new Set(texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name)));
}

const namesIn = (query: string): readonly string[] =>
  [...query.matchAll(/\b(firebreak_\w+|process_\w+)/g)].map(([, name = '']) => name.replace(/_(bucket|count|sum)$/, ''));

describe('alert rules and dashboards', () => {
  test('name no metric that no process exports', async () => {
    const known = await metricNames();
    const named = [...rules.map(({ expr }) => expr), ...queries].flatMap(namesIn);
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('use no recording rule that does not exist', () => {
    const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
    const used = [...rules.map(({ expr }) => expr), ...queries].flatMap((query) => query.match(/\bfirebreak:[\w:]+/g) ?? []);
    expect(used.filter((name) => !recorded.has(name))).toEqual([]);
  });

  test('have a runbook for each alert and no others, and the runbooks name commands that exist', async () => {
    const alerts = rules.flatMap(({ alert }) => alert ?? []).sort();
    const files = readdirSync(runbooks).sort();
    expect(files).toEqual(alerts.map((alert) => `${alert}.md`));
    expect(rules.flatMap(({ annotations }) => annotations?.runbook ?? []).sort()).toEqual(
      alerts.map((alert) => `firebreak docs runbooks/${alert}`),
    );
    const program = await createWholeProgram({ version: '0' });
    const unknown = files.flatMap((file) =>
      [...readFileSync(join(runbooks, file), 'utf8').matchAll(/`firebreak ([a-z-]+)( [a-z-]+)?( [a-z-]+)?/g)].filter((match) => {
        let commands = program.commands;
        for (const word of match.slice(1).map((part) => part?.trim())) {
          if (word === undefined || commands.length === 0) return false;
          const found = commands.find((command) => command.name() === word || command.aliases().includes(word));
          if (!found) return true;
          commands = found.commands;
        }
        return false;
      }),
    );
    expect(unknown.map(([command]) => command)).toEqual([]);
  });

  test('page for what cannot wait, and for nothing else', () => {
    const severities = new Set(rules.flatMap(({ alert, labels }) => (alert ? [labels?.severity] : [])));
    expect([...severities].sort()).toEqual(['critical', 'info', 'warning']);
  });
});

test('each alert is made to fire', () => {
  const fired = ruleTests.flatMap((file): readonly string[] =>
    parse(readFileSync(file, 'utf8')).tests.flatMap((one: RuleTest) =>
      one.alert_rule_test.flatMap(({ alertname, exp_alerts: expected }) => (expected.length > 0 ? [alertname] : [])),
    ),
  );
  expect([...new Set(fired)].sort()).toEqual(rules.flatMap(({ alert }) => alert ?? []).sort());
});

const promtool = await promtoolBinary(() => {});

(promtool === undefined ? describe.skip : describe)('promtool', () => {
  const run = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await runCommand({ command: promtool ?? '', args: [...args] });
    return { code, said: `${stdout}${stderr}` };
  };

  test('accepts the rules, and finds that they fire when they should and not otherwise', async () => {
    expect(await run('check', 'rules', rulesFile)).toMatchObject({ code: 0 });
    for (const file of ruleTests) expect(await run('test', 'rules', file)).toMatchObject({ code: 0 });
  });

  test('can read every query of the dashboards', async () => {
    const file = join(folder, 'queries.yaml');
    const written = queries.map((query, nth) => ({
      record: `query:${nth}`,
      expr: query.replaceAll('$__rate_interval', '5m'),
    }));
    writeFileSync(file, stringify({ groups: [{ name: 'queries', rules: written }] }));
    expect(await run('check', 'rules', file)).toMatchObject({ code: 0 });
  });
});
