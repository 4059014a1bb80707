import { describe, expect, test } from '@jest/globals';
import { defaultGuardrails, type GuardrailRules } from '../../../core/action/guardrail.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { subjectOf } from '../../../core/alert/subject.ts';
import { Assessor } from '../../../core/assessment/assessor.ts';
import { type CountedPod, HeldBack } from '../../../core/assessment/held-back.ts';
import { type Mode, modes, wouldHaveText } from '../../../core/assessment/response.ts';
import { PodStories } from '../../../core/assessment/stories.ts';
import { WouldHaveRecords } from '../../../core/assessment/would-have.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { assessmentsOf } from '../../../core/console/shown-assessments.ts';
import { incidentIdOf } from '../../../core/incident/incident.ts';
import type { ActiveRestraint } from '../../../core/orders/restraint.ts';
import { answering } from '../../../core/playbook/answering.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import { playbooks as shipped } from '../../../playbooks/index.ts';

const now = Date.parse('2026-12-01T03:00:00Z');
const hourMs = 3_600_000;

function alertOn(
  name: string,
  { namespace = 'shop', workload = 'web', ...over }: Partial<Omit<Alert, 'workload'>> & Place = {},
): Alert {
  return {
    ...{ id: name, sensor: 'falco', rule: 'Detect release_agent File Container Escapes', severity: 'critical', cluster: 'lab' },
    ...{ title: name, time: new Date(now).toISOString(), pod: { namespace, name, uid: name }, observables: [], tags: [] },
    ...{ workload: { kind: 'Deployment', namespace, name: workload }, mitre: [] },
    ...over,
  } as Alert;
}

interface Place {
  readonly namespace?: string;
  readonly workload?: string;
}

interface Cell {
  readonly mode?: Mode;
  readonly rules?: Partial<GuardrailRules>;
  readonly playbooks?: readonly AnyPlaybook[];
  readonly pods?: number;
  readonly held?: readonly CountedPod[];
  readonly restraint?: ActiveRestraint;
}

/** Assesses alerts as a cell does, each a minute after the one before. */
function cell({ mode = 'ask', rules, playbooks = shipped, pods = 10, held = [], restraint }: Cell = {}) {
  const assessor = new Assessor({
    stories: new PodStories(),
    policyOf: () => ({ mode, profile: 'balanced', onSilence: 'nothing', scope: 'scope shops' }),
    key: new Uint8Array(32).fill(3),
    heldBack: new HeldBack({
      rules: { ...defaultGuardrails, ...rules },
      windowMs: hourMs,
      playbooksOf: (alert) => answering(playbooks, alert),
      levels: [],
      podsOf: () => pods,
      held: () => held,
      restraintOn: () => restraint,
    }),
  });
  return (alerts: readonly Alert[], apartMs = 60_000): readonly Alert[] =>
    alerts.map((alert, nth) => assessor.assessed(alert, { nowMs: now + nth * apartMs }));
}

const heldBack = (alerts: readonly Alert[]): readonly (string | undefined)[] =>
  alerts.map(({ assessment }) => assessment?.heldBack);

const asked = 'Would have contained the pod: mode ask asks people first (scope shops)';
const textOf = ({ assessment }: Alert): string | undefined => assessment && wouldHaveText(assessment);

describe('mode contain would not have contained', () => {
  test.each<[string, Alert, Cell, RegExp]>([
    [
      'what no playbook that answers may contain',
      alertOn('web-1'),
      { playbooks: shipped.filter(({ contains }) => contains === undefined) },
      /no playbook that answers may contain it$/,
    ],
    ['what is in a protected namespace', alertOn('dns', { namespace: 'kube-system' }), {}, /namespace kube-system is protected/],
    ['what is in Firebreak’s own namespace', alertOn('cell', { namespace: 'firebreak' }), {}, /namespace firebreak is protected/],
    [
      'more than the share of a workload',
      alertOn('web-1'),
      { pods: 2, held: [{ uid: 'web-2', namespace: 'shop', incident: incidentIdOf(subjectOf(alertOn('web-1'))), at: now - 1 }] },
      /of the 2 pods of its owner is already contained/,
    ],
    [
      'more than the cap of a namespace',
      alertOn('web-1'),
      { rules: { namespaceCap: 1 }, held: [{ uid: 'x', namespace: 'shop', incident: 'another', at: now - 1 }] },
      /1 pod of its namespace is already contained/,
    ],
    [
      'more than the cap of the cluster',
      alertOn('web-1'),
      {
        rules: { clusterCap: 1, namespaceReserve: 0 },
        held: [{ uid: 'x', namespace: 'bank', incident: 'another', at: now - 1 }],
      },
      /1 pod of the cluster is already contained/,
    ],
    [
      'what people have frozen',
      alertOn('web-1'),
      {
        restraint: {
          terms: {
            ...{ id: 'f-1', mode: 'freeze', scope: { kind: 'cluster' }, owner: 'ana', reason: 'migration' },
            until: '2026-12-01T05:00:00Z',
          },
        } as unknown as ActiveRestraint,
      },
      /is not automatic now: .*migration/,
    ],
  ])('%s, and each mode says why', (_, alert, given, why) => {
    for (const mode of modes) {
      const [assessed] = cell({ ...given, mode })([alert]);
      expect(assessed?.assessment).toMatchObject({ would: 'contain', mode });
      const text = assessed && textOf(assessed);
      expect(text).toMatch(why);
      expect(text).toMatch(mode === 'contain' ? /^Not contained at once: / : /^Mode contain would not contain the pod either: /);
    }
  });

  test('but would contain a pod that nothing holds back', () => {
    const [assessed] = cell()([alertOn('web-1')]);
    expect(assessed?.assessment?.heldBack).toBeUndefined();
    expect(assessed && textOf(assessed)).toBe(asked);
  });
});

describe('pods that mode contain would have contained', () => {
  test('count under the caps as if it had, and a pod counts once', () => {
    const assessed = cell({ rules: { namespaceCap: 2 } })(
      ['a', 'b', 'a', 'c'].map((name) => alertOn(name, { workload: name, id: `${name}-alert` })),
    );
    expect(heldBack(assessed)).toEqual([undefined, undefined, undefined, expect.stringContaining('2 pods of its namespace')]);
  });

  test('leave room for the attacked pod, however many decoys were touched elsewhere: each namespace has a share of its own', () => {
    const touched = (name: string, namespace: string): Alert => ({
      ...alertOn(name, { namespace, workload: name }),
      tags: ['decoy'],
    });
    const rules = { clusterCap: 4, namespaceCap: 4, namespaceReserve: 1 };
    const flood = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => touched(name, 'bait'));
    const held = heldBack(cell({ mode: 'contain', rules })([...flood, alertOn('web-1')], 1_000));
    expect(held.slice(0, 4)).toEqual([undefined, undefined, undefined, undefined]);
    expect(held[4]).toContain('4 pods of its namespace are already contained');
    expect(held[6]).toBeUndefined();
  });

  test('no longer count when the window is over', () => {
    const assessed = cell({ rules: { namespaceCap: 1 } })([alertOn('a'), alertOn('b', { workload: 'b' })], hourMs);
    expect(heldBack(assessed)).toEqual([undefined, undefined]);
  });

  test('still count after a restart', () => {
    const parts = {
      ...{ rules: { ...defaultGuardrails, namespaceCap: 1 }, windowMs: hourMs, podsOf: () => 10, held: () => [] },
      playbooksOf: (alert: Alert) => answering(shipped, alert),
      levels: [],
    };
    const before = new HeldBack(parts);
    expect(before.why(alertOn('a'), now)).toBeUndefined();
    const after = new HeldBack(parts);
    after.restore(before.state());
    expect(after.why(alertOn('b', { workload: 'b' }), now + 1)).toContain('1 pod of its namespace');
  });
});

test('the console and the report say the same of a record', () => {
  const assessed = cell({ mode: 'ask' })([alertOn('web-1'), alertOn('dns', { namespace: 'kube-system' })]);
  const records = assessed.map(
    (alert): AuditRecord =>
      ({
        ...{ chain: `incident/lab/shop/Deployment/${alert.id}@run`, number: 1, at: new Date(now).toISOString() },
        ...{ kind: 'incident.opened', actor: 'sensor/falco', body: { alerts: [alert] } },
      }) as unknown as AuditRecord,
  );
  const report = new WouldHaveRecords();
  for (const record of records) report.add(record);
  const { decisions } = report.report({ since: now - hourMs, until: now + hourMs });
  const would = (pod: string) => decisions.find((one) => one.pod === pod);
  expect(would('web-1')).toMatchObject({ would: 'contain' });
  const why = 'namespace kube-system is protected; pod/kube-system/dns was not touched';
  expect(would('dns')).toMatchObject({ would: 'held back', reasons: expect.arrayContaining([why]) });
  expect(records.flatMap((record) => assessmentsOf([record]).map(({ wouldHave }) => wouldHave))).toEqual([
    asked,
    `Mode contain would not contain the pod either: ${why}`,
  ]);
});
