import { describe, expect, test } from '@jest/globals';
import type { Response } from '../../../core/assessment/response.ts';
import { WouldHaveRecords } from '../../../core/assessment/would-have.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';

const dayMs = 86_400_000;
const until = Date.parse('2026-11-30T00:00:00Z');
const period = { since: until - 7 * dayMs, until };

interface Made {
  readonly n: number;
  readonly namespace?: string;
  readonly mode?: 'observe' | 'ask' | 'contain';
  readonly would?: Response;
  readonly heldBack?: string;
  readonly verdict?: 'benign' | 'true_positive';
  readonly answered?: boolean;
  readonly atMs?: number;
}

/** One incident about one pod. */
function incident({ n, namespace = 'shop', mode = 'ask', would = 'contain', heldBack, ...more }: Made) {
  const { verdict, answered = verdict !== undefined, atMs = period.since + n * 3_600_000 } = more;
  const chain = `incident/lab/${namespace}/Deployment/web-${n}@run`;
  const at = new Date(atMs).toISOString();
  const assessment = {
    ...{ response: mode === 'ask' ? 'ask' : 'file', would, pages: mode === 'ask', wouldPage: would === 'ask', mode },
    ...{ profile: 'balanced', scope: 'scope all', onSilence: 'nothing', reasons: ['critical'] },
    ...(heldBack !== undefined && { heldBack }),
  };
  const pod = { namespace, name: `web-${n}`, uid: `uid-${n}` };
  const records: readonly Pick<AuditRecord, 'kind' | 'actor' | 'body'>[] = [
    {
      kind: 'incident.opened',
      actor: 'sensor/falco',
      body: { alerts: [{ id: `a${n}`, rule: 'R', severity: 'critical', pod, assessment }] },
    },
    ...(answered ? [{ kind: 'question.decided', actor: 'person/ana', body: { question: 'q' } }] : []),
    ...(verdict === undefined
      ? []
      : [{ kind: 'incident.verdict', actor: 'playbook/own/contain', body: { incident: verdict, question: 'q' } }]),
  ];
  return records.map((record, place) => ({ ...record, chain, number: place + 1, at }) as AuditRecord);
}

function reportOf(...made: readonly Made[]) {
  const told = new WouldHaveRecords();
  for (const one of made) for (const record of incident(one)) told.add(record);
  return told.report(period);
}

const spread = (count: number, made: Partial<Made> = {}): readonly Made[] =>
  Array.from({ length: count }, (_, nth) => ({ n: nth * 8, ...made }));

describe('what would have been done', () => {
  test('three containments that people judged right make a namespace ready, with the lines to paste', () => {
    const report = reportOf(...spread(3, { verdict: 'true_positive' }));
    expect(report.rows).toMatchObject([
      { namespace: 'shop', mode: 'ask', contain: 3, right: 3, wrong: 0, advice: { next: 'contain' } },
    ]);
    expect(report.snippet).toBe(
      [
        'response:',
        '  scopes:   # before your other scopes: the first that matches holds',
        "    - { name: ready-to-contain-lab, clusters: ['lab'], namespaces: ['shop'], mode: contain }",
      ].join('\n'),
    );
    expect(report.decisions[0]).toMatchObject({ pod: 'web-16', would: 'contain', judged: 'right', reasons: ['critical'] });
  });

  test('one that people called harmless keeps the namespace as it is', () => {
    const report = reportOf(...spread(4, { verdict: 'true_positive' }), { n: 90, verdict: 'benign' });
    expect(report.rows).toMatchObject([{ contain: 5, right: 4, wrong: 1, advice: { next: null } }]);
    expect(report.snippet).toBeNull();
  });

  test('a verdict of a playbook alone is nobody’s judgement', () => {
    const report = reportOf(...spread(3, { verdict: 'true_positive', answered: false }));
    expect(report.rows).toMatchObject([{ right: 0, open: 3, advice: { next: null } }]);
  });

  test('mode observe is ready for questions if they are few', () => {
    expect(reportOf(...spread(3, { mode: 'observe' })).rows).toMatchObject([{ contain: 3, advice: { next: 'ask' } }]);
    const noisy = Array.from({ length: 11 }, (_, n) => ({ n, mode: 'observe', would: 'ask', atMs: period.since + n }) as const);
    expect(reportOf(...noisy).rows).toMatchObject([{ ask: 11, pages: 11, mostADay: 11, advice: { next: null } }]);
  });

  test('what the cell says is held back is no containment, and a pod counts as contained if one alert is not held back', () => {
    const { rows, decisions } = reportOf({ n: 1, heldBack: 'no playbook that answers may contain it' }, { n: 2 });
    expect(rows).toMatchObject([{ contain: 1, heldBack: 1, ask: 0, pages: 1 }]);
    expect(decisions.find(({ pod }) => pod === 'web-1')?.reasons).toEqual([
      'no playbook that answers may contain it',
      'critical',
    ]);
    const told = new WouldHaveRecords();
    const [held, free] = ['no playbook that answers may contain it', undefined].map(
      (why) => incident({ n: 1, ...(why !== undefined && { heldBack: why }) })[0],
    );
    if (held) told.add(held);
    if (free) told.add({ ...free, body: { alerts: (free.body.alerts as object[]).map((one) => ({ ...one, id: 'later' })) } });
    expect(told.report(period).rows).toMatchObject([{ contain: 1, heldBack: 0 }]);
  });

  test('leaves out what mode contain did, and a namespace that is no name of Kubernetes out of the configuration', () => {
    expect(reportOf(...spread(3, { mode: 'contain' })).rows).toEqual([]);
    const report = reportOf(...spread(3, { verdict: 'true_positive', namespace: "a'], mode: observe" }));
    expect(report.snippet).toBeNull();
  });
});
