import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { basisTexts, complianceReport } from '../../../core/compliance/compliance-report.ts';
import { frameworks } from '../../../core/compliance/frameworks/index.ts';
import {
  isOfDesks,
  type LawMeasureId,
  type MeasureId,
  Measures,
  measureIds,
  mostRefs,
  type TrendId,
} from '../../../core/compliance/measures.ts';
import { regimes, stages } from '../../../core/compliance/notification.ts';
import { reportOscal } from '../../../core/compliance/oscal.ts';
import { reportSummary } from '../../../core/compliance/report-file.ts';
import { reportCsv, reportHtml } from '../../../core/compliance/report-text.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { type MeasuredPeriod, measurePeriod } from '../../../service/records/compliance.ts';
import { maker, makersKeys, makersTrust, newMaker } from '../../suites/signed-records.ts';
import { rarerRecords, recordsOfIncidents } from './compliance-records.ts';

const since = Date.UTC(2026, 6, 1);
const until = Date.UTC(2026, 6, 20);
const folder = mkdtempSync(join(tmpdir(), 'firebreak-compliance-'));
const begun = since - 2 * 86_400_000;
const records = [...recordsOfIncidents(200, begun), ...rarerRecords(200, begun)];
let database: Database;
let measured: MeasuredPeriod;

beforeAll(async () => {
  database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
  const store = createAuditStore(database);
  for (const run of Map.groupBy(records, ({ chain }) => chain).values()) await store.append(run.map(maker.sign));
  measured = await measurePeriod({ store, trust: makersTrust, since, until });
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const measureOf = (id: MeasureId) => measured.measures.find((measure) => measure.id === id);

describe('every number is what SQL counts in the records', () => {
  const inPeriod = `at >= '${new Date(since).toISOString()}' AND at < '${new Date(until).toISOString()}'`;
  const count = async (where: string): Promise<number> => {
    const [row] = await database.all(`SELECT COUNT(*) AS n FROM audit_records WHERE ${inPeriod} AND ${where}`, []);
    return Number(row?.n);
  };

  const applied = (action: string): string => `kind = 'step.applied' AND json_extract(body, '$.action') ${action}`;
  const decisions = (noun: string): readonly [string, string] => [
    `kind IN (${['proposed', 'begun', 'rejected', 'ended', 'expired', 'lapsed'].map((what) => `'${noun}.${what}'`).join(', ')})`,
    `replace(kind, '${noun}.', '')`,
  ];

  const [regimeOf, stageOf] = ["json_extract(body, '$.order.order.regime')", "json_extract(body, '$.order.order.stage')"];
  const ofLaws: Readonly<Record<string, readonly [where: string]>> = Object.fromEntries(
    regimes.flatMap((regime) => [
      [`${regime}-due`, [`kind = 'deadline.started' AND ${regimeOf} = '${regime}'`]],
      ...stages.flatMap((stage) => [
        [`${regime}-${stage}-sent`, [`kind = 'deadline.sent' AND ${regimeOf} = '${regime}' AND ${stageOf} = '${stage}'`]],
        [
          `${regime}-${stage}-called`,
          [
            `kind = 'deadline.called' AND json_extract(body, '$.regime') = '${regime}' AND json_extract(body, '$.stage') = '${stage}'`,
          ],
        ],
      ]),
    ]),
  );

  /** The records that each measure is counted from, and its divisor. None may be missing here: the compiler names any that is. */
  const queries: Readonly<
    Record<
      Exclude<MeasureId, TrendId | LawMeasureId | 'time-to-contain' | 'time-to-decide'>,
      readonly [where: string, part?: string]
    >
  > = {
    'incidents-opened': [`kind = 'incident.opened'`, `json_extract(body, '$.alerts[0].severity')`],
    'audit-incidents': [`kind = 'incident.opened' AND json_extract(body, '$.alerts[0].sensor') = 'kubernetes-audit'`],
    'incidents-closed': [`kind = 'incident.closed'`, `json_extract(body, '$.verdict')`],
    'alerts-joined': [`kind = 'alert.joined'`],
    'alerts-hidden': [`kind = 'alert.suppressed'`],
    'playbooks-run': [`kind = 'playbook.started'`, `replace(actor, 'playbook/', '')`],
    'playbooks-failed': [`kind = 'playbook.failed'`, `json_extract(body, '$.code')`],
    containments: [applied(`IN ('quarantinePod', 'blockEgress')`), `json_extract(body, '$.action')`],
    'containments-proven': [`kind = 'step.checked'`, `json_extract(body, '$.verification.state')`],
    'containments-changed': [`kind IN ('containment.changed', 'containment.gone')`],
    'effects-checked': [`kind = 'effect.checked'`, `COALESCE(json_extract(body, '$.effect.outcome'), 'not-looked-at')`],
    postures: [
      `kind = 'posture.found' AND json_extract(body, '$.posture.level') IS NOT NULL`,
      `date(at, 'weekday 0', '-6 days') || ' ' || json_extract(body, '$.posture.level')`,
    ],
    'posture-findings': [`kind = 'posture.found' AND json_array_length(body, '$.posture.findings') > 0`],
    'image-signatures': [applied(`= 'verifyImage'`), `json_extract(body, '$.output.signature')`],
    'steps-failed': [`kind = 'step.failed'`, `json_extract(body, '$.code')`],
    'evidence-kept': [applied(`<> '' AND json_extract(body, '$.output.evidence') IS NOT NULL`), `json_extract(body, '$.action')`],
    'evidence-read': [`kind = 'evidence.read'`],
    'evidence-destroyed': [`kind = 'evidence.destroyed'`],
    'questions-asked': [`kind = 'question.asked'`],
    'questions-decided': [`kind = 'question.decided'`],
    'questions-silent': [`kind = 'question.expired'`],
    'votes-accepted': [`kind = 'vote.accepted'`, `replace(actor, 'person/', '')`],
    'votes-refused': [`kind = 'vote.refused'`],
    escalations: [`kind = 'question.escalated'`],
    pages: [`kind = 'page.sent'`, `json_extract(body, '$.group')`],
    tickets: [applied(`= 'openTicket'`)],
    releases: [`kind = 'lease.released'`],
    restraints: decisions('restraint'),
    suppressions: decisions('suppression'),
    promotions: decisions('promotion'),
    strangers: [
      `kind IN ('click.refused', 'command.refused', 'door.refused', 'message.refused')`,
      `replace(kind, '.refused', '')`,
    ],
    exports: [`kind IN ('incident.exported', 'console.exported')`],
    'records-cut': [`kind = 'records.cut'`, `json_extract(body, '$.cut.class')`],
    'notifications-due': [`kind = 'deadline.started'`, `json_extract(body, '$.order.order.regime')`],
    'notifications-sent': [
      `kind = 'deadline.sent'`,
      `json_extract(body, '$.order.order.regime') || ' ' || json_extract(body, '$.order.order.stage')`,
    ],
    'notifications-called': [
      `kind = 'deadline.called'`,
      `json_extract(body, '$.regime') || ' ' || json_extract(body, '$.stage')`,
    ],
  };
  const queriesOfAll = Object.entries<readonly [where: string, part?: string]>({ ...queries, ...ofLaws });
  const queryOf = new Map(queriesOfAll);

  test.each(measureIds.filter((id) => queryOf.has(id)))('%s, and its parts', async (id) => {
    const [where = '', part] = queryOf.get(id) ?? [];
    const expected = await count(where);
    expect(expected).toBeGreaterThan(0);
    expect(measureOf(id)).toMatchObject({ value: expected, counted: expected });
    // One record can have several findings, which are counted below.
    if (id === 'posture-findings') return;
    const sql = `SELECT ${part ?? `''`} AS part, COUNT(*) AS n FROM audit_records WHERE ${inPeriod} AND ${where} GROUP BY 1`;
    const rows = part === undefined ? [] : await database.all(sql, []);
    expect(measureOf(id)?.parts).toEqual(Object.fromEntries(rows.map((row) => [row.part, Number(row.n)])));
  });

  test('the parts of posture-findings, of which one record can have several', async () => {
    const rows = await database.all(
      `SELECT json_extract(found.value, '$.id') AS part, COUNT(*) AS n FROM audit_records, json_each(body, '$.posture.findings') AS found
       WHERE ${inPeriod} AND kind = 'posture.found' GROUP BY 1`,
      [],
    );
    expect(rows).toHaveLength(3);
    expect(measureOf('posture-findings')?.parts).toEqual(Object.fromEntries(rows.map((row) => [row.part, Number(row.n)])));
  });

  const [weekOf, monthOf] = [`date(at, 'weekday 0', '-6 days')`, 'substr(at, 1, 7)'];
  const trendSql = (from: number, to: number, when: string, rows: string, lacks: string): string => `
    WITH looks AS (SELECT *, substr(chain, 1, instr(chain, '@') - 1) AS workload FROM audit_records WHERE kind = 'posture.found'
        AND json_extract(body, '$.posture') IS NOT NULL AND at >= '${new Date(from).toISOString()}' AND at < '${new Date(to).toISOString()}'),
      pairs AS (SELECT *, LAG(body) OVER (PARTITION BY workload ORDER BY at, chain, number) AS earlier FROM looks)
    SELECT ${when} || ' ' || json_extract(found.value, '$.id') AS part, chain, number FROM pairs, json_each(${rows}, '$.posture.findings') AS found
    WHERE ${
      lacks === ''
        ? '1'
        : `earlier IS NOT NULL AND NOT EXISTS (SELECT 1 FROM json_each(${lacks}, '$.posture.findings') AS other
        WHERE json_extract(other.value, '$.id') = json_extract(found.value, '$.id'))`
    }`;

  test.each<[MeasureId, string, string]>([
    ['posture-trend', 'body', ''],
    ['posture-opened', 'body', 'earlier'],
    ['posture-gone', 'earlier', 'body'],
  ])('%s, over weeks and over months, each part with records of its own', async (id, rows, lacks) => {
    const longer = { since: since - 10 * 86_400_000, until: until + 20 * 86_400_000 };
    const byMonth = await measurePeriod({ store: createAuditStore(database), trust: makersTrust, ...longer });
    const periods = [
      { when: weekOf, since, until, measures: measured.measures, times: 2 },
      { when: monthOf, ...longer, measures: byMonth.measures, times: 1 },
    ];
    for (const period of periods) {
      const found = await database.all(trendSql(period.since, period.until, period.when, rows, lacks), []);
      const parts = Map.groupBy(found, (row) => String(row.part));
      expect(new Set([...parts.keys()].map((part) => part.split(' ')[0])).size).toBeGreaterThanOrEqual(period.times);
      const measure = period.measures.find((one) => one.id === id);
      expect(measure?.parts).toEqual(Object.fromEntries([...parts].map(([part, ofPart]) => [part, ofPart.length])));
      expect(measure?.counted).toBe(new Set(found.map(({ chain, number }) => `${chain}#${number}`)).size);
      for (const [part, ofPart] of parts) {
        const named = measure?.partRecords?.[part] ?? [];
        expect(named).toHaveLength(Math.min(3, ofPart.length));
        for (const { chain, number } of named) expect(ofPart).toContainEqual({ part, chain, number });
      }
    }
  });

  test.each<[MeasureId, string]>([
    [
      'time-to-contain',
      `SELECT o.at AS a, MIN(s.at) AS b FROM audit_records o JOIN audit_records s ON s.chain = o.chain AND s.at > o.at
       WHERE o.kind = 'incident.opened' AND s.kind = 'step.applied' AND json_extract(s.body, '$.action') IN ('quarantinePod', 'blockEgress') GROUP BY o.chain`,
    ],
    [
      'time-to-decide',
      `SELECT q.at AS a, d.at AS b FROM audit_records q JOIN audit_records d ON d.chain = q.chain
       WHERE q.kind = 'question.asked' AND d.kind = 'question.decided' AND json_extract(q.body, '$.question.id') = json_extract(d.body, '$.question')`,
    ],
  ])('%s, by pairs of records', async (id, sql) => {
    const [from, to] = [new Date(since).toISOString(), new Date(until).toISOString()];
    const pairs = (await database.all(sql, [])).map((row) => [String(row.a), String(row.b)] as const);
    const seconds = pairs
      .filter(([a, b]) => a >= from && b < to)
      .map(([a, b]) => (Date.parse(b) - Date.parse(a)) / 1_000)
      .sort((a, b) => a - b);
    expect(seconds.length).toBeGreaterThan(10);
    expect(measureOf(id)).toMatchObject({
      counted: seconds.length,
      value: seconds[Math.ceil(seconds.length * 0.5) - 1],
      parts: { p90: seconds[Math.ceil(seconds.length * 0.9) - 1], longest: seconds.at(-1) },
    });
  });

  test('each names the first records that it is counted from, and each of these is one of its kind', async () => {
    for (const { id, records: named, counted } of measured.measures) {
      expect([id, named.length]).toEqual([id, Math.min(counted, mostRefs)]);
      for (const { chain, number } of named)
        expect(records.some((record) => record.chain === chain && record.number === number)).toBe(true);
    }
    expect(measured.measures.map(({ id }) => id)).toEqual(measureIds);
  });

  test('rows of somebody with the database’s password do not count, and are reported', async () => {
    const store = createAuditStore(database);
    const [first] = recordsOfIncidents(1, since + 3_600_000);
    if (!first) throw new Error('no record');
    await store.append([newMaker().sign({ ...first, chain: 'incident/c/shop/Deployment/false@run' })]);
    const again = await measurePeriod({ store, trust: makersTrust, since, until });
    expect(again.records.leftOut).toBe(1);
    expect(again.measures).toEqual(measured.measures);
  });

  test('threads that count some chains each get the same result, with the same records behind each number', async () => {
    const asked = { store: createAuditStore(database), trust: makersTrust, since, until };
    const shares: number[] = [];
    const threads = { url: `sqlite:${join(folder, 'audit.db')}`, keys: makersKeys };
    const counted = await measurePeriod({ ...asked, threads, manyChains: 2, onPart: (share) => shares.push(share) });
    expect(counted).toEqual(await measurePeriod(asked));
    expect(counted.records.leftOut).toBe(1);
    expect(shares.length).toBeGreaterThan(1);
    expect(shares.at(-1)).toBe(1);
    const strangers = { ...threads, keys: { ...makersKeys, cells: [{ cluster: 'c', key: newMaker().publicKey }] } };
    const unknown = await measurePeriod({ ...asked, threads: strangers, manyChains: 2 });
    expect(unknown.measures.find(({ id }) => id === 'incidents-opened')?.value).toBe(0);
  });

  test('a thread that cannot read ends all of them', async () => {
    const threads = { url: 'sqlite:/nowhere/audit.db', keys: makersKeys };
    const asked = { store: createAuditStore(database), trust: makersTrust, since, until, threads, manyChains: 2 };
    await expect(measurePeriod(asked)).rejects.toMatchObject({ code: expect.stringMatching(/^FB_ERR_/) });
  });

  test('only one cluster’s are counted if one is named', async () => {
    const store = createAuditStore(database);
    const other = await measurePeriod({ store, trust: makersTrust, since, until, cluster: 'other' });
    expect(other).toMatchObject({ clusters: [], records: { counted: 0 } });
    expect(measured.clusters).toEqual(['c']);
  });
});

describe('the report', () => {
  const schema = JSON.parse(
    gunzipSync(readFileSync(join(import.meta.dirname, '../../fixtures/oscal/assessment-results-1.2.1.json.gz'))).toString(),
  );
  const validate = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
  const about = {
    since: '2026-07-01T00:00:00.000Z',
    until: '2026-07-20T00:00:00.000Z',
    madeAt: '2026-08-01T10:00:00.000Z',
    program: 'firebreak test',
  };

  test.each(frameworks.map((framework) => [framework.id, framework] as const))(
    '%s is valid OSCAL, a page without scripts and a table without formulas; what is not shown stands with each',
    (_id, framework) => {
      const report = complianceReport({ framework, ...measured, ...about });
      expect(validate(reportOscal(report, randomUUID)) || validate.errors).toBe(true);
      const html = reportHtml(report);
      expect(html).not.toMatch(/<script|<b>|javascript:/);
      for (const { id } of framework.requirements) expect(html).toContain(id);
      expect(html.match(/Not shown here/g)).toHaveLength(framework.requirements.length);
      for (const line of reportCsv(report).split('\r\n')) expect(line).not.toMatch(/(?:^|,)"?[=+@-]/);
    },
  );

  test('has a table of findings over time, with the new and the resolved ones, and the records of each', () => {
    const [framework] = frameworks.filter(({ id }) => id === 'cis-kubernetes');
    if (!framework) throw new Error('no such framework');
    const html = reportHtml(complianceReport({ framework, ...measured, ...about }));
    const [, table = ''] = /<table class="trend">(.*?)<\/table>/.exec(html) ?? [];
    const heads = [...table.matchAll(/<th scope="col">([^<]+)/g)].map(([, text]) => text);
    expect(heads).toEqual(['2026-06-29', '2026-07-06', '2026-07-13']);
    const part = '2026-07-06 root';
    const [all, opened, gone] = (['posture-trend', 'posture-opened', 'posture-gone'] as const).map(
      (id) => measureOf(id)?.parts[part],
    );
    const row = /<th scope="row">root<\/th>(.*?)<\/tr>/.exec(table)?.[1] ?? '';
    const [, second] = [...row.matchAll(/<td>(.*?)<\/td>/g)].map(([, cell = '']) => cell.replace(/<[^>]+>/g, ''));
    expect(second).toBe(`${all} +${opened} −${gone}`);
    for (const id of ['posture-trend', 'posture-opened', 'posture-gone'] as const) {
      const [first] = measureOf(id)?.partRecords?.[part] ?? [];
      const section = html.slice(html.indexOf(`<section id="${id}">`)).split('</section>')[0];
      expect(section).toContain(`<i>${part}</i>: ${first?.chain} #${first?.number}`);
    }
  });

  test('says for each requirement whether numbers, only words or nothing demonstrates it', () => {
    const [framework] = frameworks.filter(({ id }) => id === 'pci-dss');
    if (!framework) throw new Error('no such framework');
    const measures = measured.measures.map((one) =>
      one.id === 'promotions' ? { ...one, counted: 0, value: 0, parts: {} } : one,
    );
    const { requirements } = complianceReport({ framework, ...measured, measures, ...about });
    const bases = Object.fromEntries(requirements.map(({ id, basis }) => [id, basis]));
    expect(bases).toMatchObject({ '12.10.5': 'numbers', '12.10.6': 'nothing-happened', '10.6.1': 'described' });
    // What was left out may have belonged to it.
    const unsure = complianceReport({ framework, ...measured, measures, ...about, records: { counted: 1, leftOut: 1 } });
    const { basis } = unsure.requirements.find(({ id }) => id === '12.10.6') ?? {};
    expect([basis, basis && basisTexts[basis]]).toEqual([
      'nothing-proven',
      'no proven record of the kind, and some records were left out',
    ]);
  });

  const desksTold = (): ReadonlySet<MeasureId> => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/records.md'), 'utf8');
    const rows = [...page.matchAll(/^\|[^|]*\| ([^|]*) \|([^|]*\bdesk\b[^|]*)\|/gm)];
    const kinds = rows.flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, kind = '']) => kind));
    expect(kinds).toContain('records.cut');
    const bodies = regimes.flatMap((regime) => stages.map((stage) => ({ regime, stage })));
    const told = kinds.flatMap((kind) =>
      bodies.flatMap((body) => {
        const measures = new Measures();
        measures.add({ chain: 'desk/main', number: 1, at: about.since, actor: 'desk', kind, body });
        return measures.all().flatMap(({ id, counted }) => (counted > 0 ? [id] : []));
      }),
    );
    return new Set(told);
  };

  test('of one cluster never says that nothing happened if desks may have recorded it, and names what was not checked', () => {
    const told = desksTold();
    expect(measureIds.filter(isOfDesks)).toEqual(measureIds.filter((id) => told.has(id)));
    const [nis2] = frameworks.filter(({ id }) => id === 'nis2');
    if (!nis2) throw new Error('no such framework');
    const none = measured.measures.map((one) => ({ ...one, counted: 0, value: 0, parts: {}, records: [] }));
    const found = { framework: nis2, ...measured, measures: none, ...about, records: { counted: 0, leftOut: 0 } };
    const report = complianceReport({ ...found, onlyCluster: 'c' });
    const bases = ({ requirements }: typeof report) => Object.fromEntries(requirements.map(({ id, basis }) => [id, basis]));
    expect(bases(report)).toMatchObject({ '21(2)(b)': 'nothing-happened', '23(4)(a)': 'not-looked-at' });
    expect(new Set(Object.values(bases(complianceReport(found))))).toEqual(new Set(['nothing-happened']));
    const said = 'Only records of the cluster c were examined, and none that desks made for all clusters';
    for (const text of [reportHtml(report), JSON.stringify(reportOscal(report, randomUUID)), reportSummary(report, '2026')])
      expect(text).toContain(said);
    expect(reportHtml(complianceReport(found))).not.toContain('were examined');
    for (const { id, title } of report.measures)
      expect([id, title.endsWith(' (records of desks were not examined)')]).toEqual([id, told.has(id)]);
  });

  test('does not break the name of an option at the end of a line', () => {
    for (const framework of frameworks) {
      const html = reportHtml(complianceReport({ framework, ...measured, ...about }));
      for (const [, code = ''] of html.matchAll(/<code>(.*?)<\/code>/g))
        expect(code.replace(/<span class="word">[^ ]*<\/span>/g, '')).not.toContain('-');
      expect(html).toContain('.word{white-space:nowrap}');
    }
  });

  test('an article that asks for one notification is not demonstrated by those of another law or stage', () => {
    const [cra] = frameworks.filter(({ id }) => id === 'cra');
    if (!cra) throw new Error('no such framework');
    const counts: Partial<Record<MeasureId, number>> = {
      'nis2-due': 1,
      'nis2-early-warning-sent': 1,
      'cra-incident-final-sent': 1,
    };
    const measures = measured.measures.map((one) => ({ ...one, counted: counts[one.id] ?? 0 }));
    const { requirements } = complianceReport({
      framework: cra,
      ...measured,
      measures,
      ...about,
      records: { counted: 3, leftOut: 0 },
    });
    expect(requirements.filter(({ basis }) => basis === 'numbers').map(({ id }) => id)).toEqual(['14(4)(c)']);
  });

  test('says in each format what of its framework it does not list', () => {
    for (const framework of frameworks) {
      const report = complianceReport({ framework, ...measured, ...about });
      const said = `Not in this report: ${framework.notListed}`;
      expect(reportHtml(report)).toContain(said);
      expect(JSON.stringify(reportOscal(report, randomUUID))).toContain(said);
      expect(report.framework.notListed).toBe(framework.notListed);
      expect(reportCsv(report).trimEnd().split('\r\n').at(-1)).toContain('not in this report');
    }
  });

  test('no framework names a requirement twice', () => {
    for (const { id, requirements } of frameworks)
      expect([id, new Set(requirements.map((one) => one.id)).size]).toEqual([id, requirements.length]);
  });
});
