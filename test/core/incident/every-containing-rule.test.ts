import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { Assessor } from '../../../core/assessment/assessor.ts';
import { PodStories } from '../../../core/assessment/stories.ts';
import { headStartOf } from '../../../core/incident/head-start.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { simulatedCellKey } from '../../../testing/simulated-cell.ts';
import { earlierAlert, judgedRules } from '../../../tools/docs/rules-page.ts';

const subject = { kind: 'workload', cluster: 'lab', namespace: 'shop', ownerKind: 'Deployment', name: 'cart' } as const;
const receivedAt = '2026-06-01T10:00:00.000Z';
const receivedMs = Date.parse(receivedAt);
const policy = { mode: 'contain', profile: 'balanced', onSilence: 'nothing', scope: 'the default' } as const;

/** The playbook for which the cell would contain the pod at once, as a cell assesses the alerts one after the other. */
function containedFor(alerts: readonly Alert[]): string | undefined {
  const assessor = new Assessor({ stories: new PodStories(), policyOf: () => policy, key: simulatedCellKey });
  const assessed = alerts.map((alert, at) => assessor.assessed(alert, { nowMs: receivedMs + at * 10_000 }));
  const alert = assessed.at(-1);
  return alert && headStartOf({ alert, subject, receivedAt }, { playbooks, now: receivedMs })?.playbook;
}

const rules = judgedRules().map((rule) => ({
  ...rule,
  alert: { workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' }, ...rule.alert },
}));
const parts = [...Map.groupBy(rules, ({ part }) => part)];

describe('every rule that is assessed as to contain its pod has a playbook that does so without Temporal', () => {
  test.each(parts)('%s', (_part, judged) => {
    for (const { name, alert, alone, afterAnother } of judged) {
      const { cluster, pod } = alert;
      const before = { ...earlierAlert, cluster, ...(pod && { pod }) };
      expect([name, containedFor([alert]) !== undefined]).toEqual([name, alone === 'contain']);
      expect([name, containedFor([before, alert]) !== undefined]).toEqual([name, afterAnother === 'contain']);
    }
  });

  test('among them are rules of each sensor', () => {
    const containing = rules.filter(({ afterAnother }) => afterAnother === 'contain');
    expect([...new Set(containing.map(({ alert }) => alert.sensor))].toSorted()).toEqual([
      'falco',
      'inspektor-gadget',
      'kubearmor',
      'kubescape',
      'tetragon',
      'tracee',
    ]);
    expect(rules.filter(({ alone }) => alone === 'contain').length).toBeGreaterThan(20);
  });
});
