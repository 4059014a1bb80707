import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { ownRules, ownSensor } from '../../../core/alert/own-alerts.ts';
import { headStartOf } from '../../../core/incident/head-start.ts';
import { matches } from '../../../core/playbook/answering.ts';
import { exactRules } from '../../../core/playbook/match-alert.ts';
import { matchesOf } from '../../../core/playbook/timed-conditions.ts';
import { sensors } from '../../../integrations/sensors/index.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { assessedAs } from '../../fixtures/assessed.ts';

const receivedAt = '2026-06-01T10:00:00.000Z';
const alert: Alert = {
  id: '0123456789abcdef0123456789abcdef',
  sensor: ownSensor,
  rule: ownRules.quarantine,
  severity: 'critical',
  time: receivedAt,
  title: 'Ana ordered a quarantine: it mines',
  cluster: 'lab',
  node: 'node-7',
  pod: { namespace: 'shop', name: 'cart-1', uid: 'uid-1' },
  workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
  observables: [],
  tags: [],
  mitre: [],
  assessment: assessedAs('contain'),
};
const subject = { kind: 'workload', cluster: 'lab', namespace: 'shop', ownerKind: 'Deployment', name: 'cart' } as const;
const answering = (change: Partial<Alert>): readonly string[] =>
  playbooks.filter((playbook) => matches(playbook, { ...alert, ...change })).map(({ id }) => id);
/** Rules for which an alert may be answered only after many of its kind. */
const counted = new Set(
  matchesOf(playbooks).flatMap((match) => (match.count === undefined ? [] : [...(exactRules(match) ?? [])])),
);
const everyRule = [
  ...new Set(playbooks.flatMap(({ on }) => (on.match === 'unanswered' ? [] : [...(exactRules(on.match) ?? [])]))),
].filter((rule) => !counted.has(rule));
const everySensor = [...sensors.map(({ name }) => name), 'house-made'];

describe('a rule of Firebreak’s own', () => {
  test.each(Object.values(ownRules))('“%s” is acted on only if it comes from Firebreak, never from a sensor', (rule) => {
    const said = rule === ownRules.schedule ? { rule, scheduledFor: 'firebreak/drill-quarantine' } : { rule };
    expect(answering(said)).toHaveLength(1);
    for (const sensor of everySensor) expect(answering({ ...said, sensor })).toEqual([]);
  });

  test('gives no sensor a head start', () => {
    const startOf = (sensor: string) =>
      headStartOf({ alert: { ...alert, sensor }, subject, receivedAt }, { playbooks, now: Date.parse(receivedAt) });
    expect(startOf(ownSensor)).toMatchObject({ action: 'quarantinePod', playbook: 'firebreak/quarantine-on-order' });
    for (const sensor of everySensor) expect(startOf(sensor)).toBeUndefined();
  });
});

test('a sensor’s rule is not acted on if it comes as Firebreak’s own', () => {
  const own: ReadonlySet<string> = new Set(Object.values(ownRules));
  for (const rule of everyRule.filter((name) => !own.has(name))) {
    expect(answering({ rule })).toEqual([]);
    expect(answering({ rule, sensor: 'falco' })).not.toEqual([]);
  }
});
