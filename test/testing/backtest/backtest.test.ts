import { describe, expect, test } from '@jest/globals';
import { defaultGuardrails } from '../../../core/action/guardrail.ts';
import { openTicket, quarantinePod } from '../../../core/actions/index.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { defaultResponse } from '../../../core/assessment/policy.ts';
import type { Match } from '../../../core/playbook/match.ts';
import { param } from '../../../core/playbook/params.ts';
import { definePlaybook } from '../../../core/playbook/playbook.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { Backtest, type BacktestReport, backtestCondition } from '../../../testing/backtest/backtest.ts';
import { alertOf } from '../alert-of.ts';

const minute = 60_000;
const at = (ms: number): string => new Date(Date.parse('2026-11-24T00:00:00Z') + ms).toISOString();
const podAlert = (nth: number, ms: number, over: Partial<Alert> = {}): Alert =>
  alertOf({
    id: `${nth}-${ms}`,
    receivedAt: at(ms),
    pod: { namespace: 'shop', name: `cart-${nth}`, uid: `uid-${nth}` },
    ...over,
  });

describe('a backtest', () => {
  test('counts runs once per pod, questions and affected objects, by the verdict of the incidents', async () => {
    const backtest = new Backtest({ playbooks, quietMs: 60 * minute, replicas: 4 });
    for (let n = 0; n < 5; n += 1) await backtest.add({ alert: podAlert(1, n * minute), verdict: 'benign' });
    await backtest.add({ alert: podAlert(2, 6 * minute), verdict: 'true_positive' });
    await backtest.add({ alert: podAlert(1, 300 * minute) });
    await backtest.add({ alert: podAlert(3, 301 * minute, { rule: 'Nobody knows it', severity: 'low' }) });
    const report = backtest.report();
    expect(report).toMatchObject({
      alerts: 8,
      answered: 7,
      from: at(0),
      to: at(301 * minute),
      // At last it is not new: another pod of the workload has done it. Then it is only filed.
      touched: { all: 2, benign: 1, true_positive: 1, suspicious: 0, unknown: 0 },
      questions: { oncall: { all: 2, shifts: 1, usualShift: 2, worstShift: 2 } },
      unanswered: [{ rule: 'Nobody knows it', severity: 'low', alerts: 1 }],
    });
    expect(report.playbooks[0]).toMatchObject({
      id: 'firebreak/contain-dropped-binary',
      alerts: 7,
      runs: 3,
      questions: 2,
      stopped: 0,
      automatic: { quarantinePod: 2, snapshotPodState: 3, openTicket: 3 },
    });
  });

  test('counts questions for the people on call at the time, by their own eight-hour shifts', async () => {
    const schedule = {
      timeZone: 'Europe/Berlin',
      rotations: [{ people: ['ada', 'grace'], start: Date.parse('2026-11-23T09:00:00Z'), days: 1 }],
      shifts: [],
      overrides: [],
    };
    const roster = {
      people: ['ada', 'grace', 'lea'].map((id) => ({ id, timeZone: 'America/New_York' })),
      groups: { oncall: ['ada', 'grace'], leads: ['lea'] },
      schedules: { oncall: schedule },
    };
    const backtest = new Backtest({ playbooks, quietMs: 60 * minute, roster, levels: ['oncall', 'leads'] });
    const hours = [
      // Before the first turn nobody of the group is on call, so the next group is asked.
      -17.5,
      // 08:30 in Berlin: the last shift of the day before, and from nine on somebody else's turn.
      7.5, 8.25, 8.75,
      // Two in the next shift, though a new day begins between them.
      22.5, 23.5,
    ];
    for (const [nth, hour] of hours.entries()) {
      const workload = { kind: 'Deployment', namespace: 'shop', name: `cart-${nth}` };
      await backtest.add({ alert: podAlert(nth, hour * 60 * minute, { workload, container: { id: `container-${nth}` } }) });
    }
    const report = backtest.report();
    expect(report.people).toEqual({
      grace: { all: 4, shifts: 2, usualShift: 2, worstShift: 2 },
      ada: { all: 1, shifts: 1, usualShift: 1, worstShift: 1 },
      lea: { all: 1, shifts: 1, usualShift: 1, worstShift: 1 },
    });
    expect(report.questions).toMatchObject({ oncall: { all: 6 } });
    expect(report.askedNobody).toBe(0);
    expect(backtestCondition('questions a shift > 1').holds(report)).toBe(true);
    expect(backtestCondition('questions a shift > 2').holds(report)).toBe(false);
  });

  test('follows the configured guardrails and parameters, even if ten alerts of the same rule had another result', async () => {
    const quarantines = definePlaybook(
      {
        id: 'by-group',
        title: 'By group',
        on: { match: { rule: alertOf().rule }, minSeverity: 'low', requires: ['pod'] },
        params: { greeting: param.text('nothing') },
        uses: { quarantinePod, openTicket },
      },
      async ({ alert, steps, params }) => {
        await steps.quarantinePod({ pod: alert.pod });
        if (params.greeting === 'said') await steps.openTicket({ title: 'a', body: '', labels: [] });
      },
    );
    const guardrails = { ...defaultGuardrails, protectedNamespaces: ['vault'] };
    const backtest = new Backtest({
      playbooks: [quarantines],
      quietMs: minute,
      guardrails,
      replicas: 100,
      params: { 'by-group': { greeting: 'said' } },
    });
    for (let nth = 0; nth < 12; nth += 1)
      await backtest.add({ alert: podAlert(nth, 0, { pod: { namespace: `team-${nth}`, name: 'a', uid: `u-${nth}` } }) });
    await backtest.add({ alert: podAlert(20, 0, { pod: { namespace: 'vault', name: 'a', uid: 'u-20' } }) });
    await backtest.add({ alert: podAlert(21, 0, { pod: { namespace: 'kube-system', name: 'a', uid: 'u-21' } }) });
    expect(backtest.report().playbooks[0]).toMatchObject({
      runs: 14,
      automatic: { quarantinePod: 13, openTicket: 13 },
      refused: { FB_ERR_PROTECTED: 1 },
    });
  });

  test('reports how often nobody would have been on call', async () => {
    const roster = {
      people: [{ id: 'ada' }],
      groups: { oncall: ['ada'] },
      schedules: { oncall: { timeZone: 'UTC', rotations: [], shifts: [], overrides: [] } },
    };
    const backtest = new Backtest({ playbooks, quietMs: minute, roster });
    await backtest.add({ alert: podAlert(1, 0) });
    expect(backtest.report()).toMatchObject({ people: {}, askedNobody: 1 });
  });

  test('takes novelty from the records, and works it out if no cell recorded it', async () => {
    const isNew = definePlaybook(
      { id: 'new', title: 'New', on: { match: { novel: true }, minSeverity: 'low', requires: [] }, uses: { openTicket } },
      async ({ note }) => note('new'),
    );
    const day = 24 * 60 * minute;
    const of = (name: string, days: number, over: Partial<Alert> = {}) => ({
      alert: podAlert(1, days * day, { process: { name }, ...over }),
    });
    const said = { facts: { novelty: { state: 'novel', text: 'First time.' } } } as const;
    const sent = [of('nginx', 0), of('nginx', 3), of('nginx', 4, said), of('curl', 5), of('curl', 5.1)];
    const runs = async (options: Partial<ConstructorParameters<typeof Backtest>[0]>) => {
      const backtest = new Backtest({ playbooks: [isNew], quietMs: minute, ...options });
      for (const one of sent) await backtest.add(one);
      return backtest.report().answered;
    };
    expect(await runs({})).toBe(1);
    expect(await runs({ judgesNovelty: { learningMs: 2 * day, rolloutMs: 0 } })).toBe(2);
  });

  test('simulates indistinguishable alerts once, and again those that differ in what the body reads', async () => {
    let runs = 0;
    const looks = definePlaybook(
      {
        id: 'looks',
        title: 'Looks',
        on: { match: { severity: 'critical' }, minSeverity: 'low', requires: ['pod'] },
        uses: { openTicket },
      },
      async ({ alert, steps, note }) => {
        runs += 1;
        if (alert.process?.name === 'xmrig') await steps.openTicket({ title: alert.pod.name, body: '', labels: [] });
        else note('nothing');
      },
    );
    const backtest = new Backtest({ playbooks: [looks], quietMs: minute });
    for (let nth = 0; nth < 20; nth += 1)
      await backtest.add({ alert: podAlert(nth, 0, { process: { name: nth % 2 === 0 ? 'xmrig' : 'sh' } }) });
    expect(backtest.report().playbooks[0]).toMatchObject({ runs: 20, automatic: { openTicket: 10 } });
    expect(runs).toBe(2);
  });

  test('counts alerts and waits for what should follow, by its own playbooks, not those of the time', async () => {
    const answers = (id: string, match: Match) =>
      definePlaybook({ id, title: id, on: { match, minSeverity: 'low', requires: [] }, uses: {} }, async ({ note }) => note(id));
    const often = answers('often', { rule: 'A', count: { times: 3, within: '10m' } });
    const alone = answers('alone', { rule: 'B', absent: { of: { rule: 'C' }, within: '5m' } });
    const backtest = new Backtest({ playbooks: [often, alone], quietMs: minute });
    const come = (rule: string, ms: number, over: Partial<Alert> = {}) =>
      backtest.add({ alert: podAlert(1, ms, { id: `${rule} ${ms}`, rule, ...over }) });
    for (const at of [0, 1, 2, 30]) await come('A', at * minute, { calls: ['others'], facts: { counts: { others: 9 } } });
    await come('B', 31 * minute);
    await come('C', 33 * minute);
    await come('B', 40 * minute);
    await come('A', 60 * minute, { againFor: ['others'] });
    await come('A', 60 * minute);
    const { alerts, answered, playbooks: told } = backtest.report();
    expect(told.map(({ id, runs }) => [id, runs]).sort()).toEqual([
      ['alone', 1],
      ['often', 1],
    ]);
    expect([alerts, answered]).toEqual([8, 1]);
  });

  test('says what is done about the pod of an alert that joins a run, and does not call it handled', async () => {
    const backtest = new Backtest({ playbooks, quietMs: 60 * minute });
    const unshare = { rule: 'Change namespace privileges via unshare', severity: 'low' } as const;
    const grave = { rule: 'Detect release_agent File Container Escapes', severity: 'critical' } as const;
    await backtest.add({ alert: podAlert(1, 0, unshare), verdict: 'true_positive' });
    await backtest.add({ alert: podAlert(1, 24_000, grave), verdict: 'true_positive' });
    await backtest.add({ alert: podAlert(1, 30_000, grave), verdict: 'true_positive' });
    const report = backtest.report();
    expect(report.touched).toMatchObject({ all: 1, true_positive: 1 });
    expect(report.pods).toMatchObject({ contained: 1, held: 1 });
    expect(report.playbooks.find(({ id }) => id === 'firebreak/contain-container-escape')).toMatchObject({
      ...{ alerts: 3, runs: 1 },
      joined: { contained: 1, held: 1 },
      automatic: { quarantinePod: 1 },
    });
  });

  test('counts each containment against the caps, and names the cap that refuses one', async () => {
    const caps = { ...defaultGuardrails, namespaceCap: 2, namespaceReserve: 1, clusterCap: 3 };
    const backtest = new Backtest({ playbooks, quietMs: 60 * minute, guardrails: caps, replicas: 4 });
    const of = (namespace: string, owner: string, nth: number, ms: number) =>
      podAlert(nth, ms, {
        pod: { namespace, name: `${owner}-${nth}`, uid: `${namespace}-${owner}-${nth}` },
        workload: { kind: 'Deployment', namespace, name: owner },
      });
    // Of four pods of an owner, two; of a namespace, two; of the cluster, three, and one more where nothing is contained yet.
    for (let nth = 0; nth < 3; nth += 1) await backtest.add({ alert: of('shop', 'cart', nth, nth * 1_000) });
    await backtest.add({ alert: of('shop', 'web', 1, 4_000) });
    await backtest.add({ alert: of('bank', 'web', 1, 5_000) });
    await backtest.add({ alert: of('bank', 'api', 1, 6_000) });
    await backtest.add({ alert: of('mail', 'web', 1, 7_000) });
    expect(backtest.report().pods).toMatchObject({
      contained: 4,
      refused: { 'cap of the owner': 1, 'cap of the namespace': 1, 'cap of the cluster': 1 },
    });
    expect(backtestCondition('capped = 3').holds(backtest.report())).toBe(true);
    // The window is over: the caps are free again.
    await backtest.add({ alert: of('shop', 'pay', 1, 61 * minute + 7_000) });
    expect(backtest.report().pods.contained).toBe(5);
    expect(backtest.report().playbooks[0]).toMatchObject({ refused: { FB_ERR_CAP_REACHED: 3 } });
  });

  test('goes by mode, profile and scopes', async () => {
    const response = { ...defaultResponse, mode: 'observe', scopes: [{ namespaces: ['shop'], mode: 'ask' }] } as const;
    const backtest = new Backtest({ playbooks, quietMs: minute, response });
    await backtest.add({ alert: podAlert(1, 0) });
    await backtest.add({ alert: podAlert(2, 0, { pod: { namespace: 'bank', name: 'a', uid: 'a' } }) });
    expect(backtest.report()).toMatchObject({ pods: { contained: 0, paged: 1, filed: 1 }, touched: { all: 0 } });
  });

  test('reports where steps would be refused and bodies stop', async () => {
    const hasty = definePlaybook(
      {
        id: 'hasty',
        title: 'Hasty',
        on: { match: { rule: alertOf().rule }, minSeverity: 'low', requires: ['pod'] },
        uses: { quarantinePod },
      },
      async ({ alert, steps }) => void (await steps.quarantinePod({ pod: alert.pod })),
    );
    const backtest = new Backtest({ playbooks: [hasty], quietMs: minute });
    await backtest.add({ alert: podAlert(1, 0, { severity: 'high' }) });
    expect(backtest.report().playbooks[0]).toMatchObject({ stopped: 1, refused: { FB_ERR_ASK_FIRST: 1 } });
    expect(backtestCondition('stopped > 0').holds(backtest.report())).toBe(true);
  });
});

test('a condition compares one measure with a number; an invalid one is refused with a list of measures', () => {
  const report = { touched: { all: 2, benign: 1 } } as BacktestReport;
  expect(backtestCondition('touched benign > 0').holds(report)).toBe(true);
  expect(backtestCondition('touched >= 3').holds(report)).toBe(false);
  expect(backtestCondition('touched benign=1').holds(report)).toBe(true);
  expect(() => backtestCondition('toString > 0')).toThrow('“toString > 0” is not a condition');
  expect(() => backtestCondition('noise > 0')).toThrow('MEASURE > NUMBER, where MEASURE is one of alerts, unanswered');
});
