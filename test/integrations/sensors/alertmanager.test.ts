import { describe, expect, test } from '@jest/globals';
import { alertOf, fixture, itemsOf } from './read.ts';

const message = JSON.parse(fixture('alertmanager/rw-webhook-v4-firing-from-falcosidekick.json'));
const [first] = message.alerts;
const withLabels = (labels: object) => ({ ...message, alerts: [{ ...first, labels: { alertname: 'X', ...labels } }] });

describe('a firing alert', () => {
  test('from Falcosidekick keeps Falco’s own priority, and its pod', () => {
    expect(alertOf(message)).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      sensor: 'alertmanager',
      rule: 'Terminal shell in container',
      severity: 'low',
      time: '2026-06-01T10:00:00.012Z',
      title: 'Terminal shell in container',
      cluster: 'lab',
      pod: { namespace: 'team-a', name: 'api-0' },
      container: { id: '84c0b936c919' },
      observables: [],
      tags: [],
      mitre: [],
    });
  });

  test('of Prometheus names pod, workload and node by the usual labels', () => {
    const labels = { severity: 'page', namespace: 'shop', pod: 'cart-1', container: 'app', deployment: 'cart', node: 'worker-1' };
    expect(alertOf(withLabels(labels))).toMatchObject({
      severity: 'critical',
      node: 'worker-1',
      pod: { namespace: 'shop', name: 'cart-1' },
      workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
      container: { name: 'app' },
    });
  });

  test('prefers what the alert is about to what was scraped for it', () => {
    const labels = { namespace: 'monitoring', pod: 'exporter-0', exported_namespace: 'shop', exported_pod: 'cart-1' };
    expect(alertOf(withLabels(labels)).pod).toEqual({ namespace: 'shop', name: 'cart-1' });
  });

  test.each([
    ['critical', 'critical'],
    ['error', 'high'],
    ['WARNING', 'medium'],
    ['info', 'info'],
    ['none', 'info'],
    ['whatever', 'unknown'],
  ])('severity %p is %s', (severity, expected) => expect(alertOf(withLabels({ severity })).severity).toBe(expected));

  test('ignores empty labels and uses their alternatives', () => {
    const labels = {
      namespace: 'shop',
      pod: '',
      pod_name: 'cart-1',
      container: '',
      container_name: 'app',
      node: '',
      nodename: 'w-1',
    };
    expect(alertOf(withLabels({ ...labels, proc_cmdline: 'nc 203.0.113.9 4444' }))).toMatchObject({
      node: 'w-1',
      pod: { namespace: 'shop', name: 'cart-1' },
      container: { name: 'app' },
      observables: [{ type: 'ip', value: '203.0.113.9' }],
    });
  });

  test('without a time is rejected for that reason', () => {
    const { startsAt: _starts, ...rest } = first;
    expect(itemsOf({ ...message, alerts: [rest] })).toMatchObject([
      { kind: 'rejected', reason: expect.stringContaining('`startsAt`') },
    ]);
  });

  test('has the same id when it is repeated, whatever else changed', () => {
    const again = { ...first, annotations: { summary: 'now 8 times' }, generatorURL: 'x' };
    expect(alertOf({ ...message, groupKey: 'other', alerts: [again] }).id).toBe(alertOf(message).id);
    expect(alertOf({ ...message, alerts: [{ ...first, startsAt: '2026-06-01T10:09:00Z' }] }).id).not.toBe(alertOf(message).id);
  });
});

describe('what is not an alert', () => {
  test('a resolved one is ignored, alone or along with a firing one', () => {
    expect(itemsOf(fixture('alertmanager/rw-webhook-v4-resolved.json'))).toMatchObject([{ kind: 'ignored' }]);
    const both = { ...message, alerts: [{ ...first, status: 'resolved' }, first, { labels: 7 }] };
    expect(itemsOf(both, { sensor: 'alertmanager' }).map(({ kind }) => kind)).toEqual(['ignored', 'alert', 'rejected']);
  });

  test('the watchdog is health', () => {
    expect(itemsOf(withLabels({ alertname: 'Watchdog', severity: 'none' }))).toMatchObject([{ kind: 'health' }]);
  });

  test('an envelope without alerts is empty', () => {
    expect(itemsOf({ ...message, alerts: [] })).toMatchObject([{ kind: 'ignored' }]);
  });
});
