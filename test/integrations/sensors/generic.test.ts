import { describe, expect, test } from '@jest/globals';
import { sensors } from '../../../integrations/sensors/index.ts';
import { alertOf, itemsOf } from './read.ts';

const alert = {
  schema: 'firebreak.alert.v1',
  sensor: 'my-scanner',
  rule: 'Miner found',
  severity: 'critical',
  time: '2026-06-01T10:00:00.5Z',
  title: 'xmrig runs in cart-1',
  node: 'worker-1',
  pod: { namespace: 'shop', name: 'cart-1', uid: 'u-1' },
  workload: { kind: 'Deployment', name: 'cart' },
  container: { id: 'containerd://84c0b936c919', name: 'app', image: 'shop/cart:1.2', digest: 'sha256:00' },
  process: { name: 'xmrig', exe: '/tmp/xmrig', commandLine: 'xmrig -o pool', parent: 'sh', user: 'root', pid: 41 },
  observables: [
    { type: 'ip', value: '203.0.113.9' },
    { type: 'domain', value: 'pool.example.org' },
    { type: 'color', value: 'red' },
  ],
  tags: ['miner'],
  mitre: ['T1496'],
};

describe('the schema for everything else', () => {
  test('covers everything that an alert can say', () => {
    expect(alertOf(alert)).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      sensor: 'my-scanner',
      rule: 'Miner found',
      severity: 'critical',
      time: '2026-06-01T10:00:00.5Z',
      title: 'xmrig runs in cart-1',
      cluster: 'lab',
      node: 'worker-1',
      pod: { namespace: 'shop', name: 'cart-1', uid: 'u-1' },
      workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
      container: { id: '84c0b936c919', name: 'app', image: 'shop/cart:1.2', digest: 'sha256:00' },
      process: { name: 'xmrig', exe: '/tmp/xmrig', commandLine: 'xmrig -o pool', parent: 'sh', user: 'root', pid: 41 },
      observables: [
        { type: 'ip', value: '203.0.113.9' },
        { type: 'domain', value: 'pool.example.org' },
      ],
      tags: ['miner'],
      mitre: ['T1496'],
    });
  });

  test('needs schema, rule and time, and knows the severities', () => {
    const least = { schema: alert.schema, rule: 'r', time: alert.time };
    expect(alertOf(least)).toMatchObject({ sensor: 'generic', severity: 'unknown', title: 'r' });
    const reasonFor = (change: object) => itemsOf({ ...least, ...change }, { sensor: 'generic' })[0];
    expect(reasonFor({ schema: 'other' })).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('`schema`') });
    expect(reasonFor({ rule: 7 })).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('`rule`') });
    expect(reasonFor({ time: 'now' })).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('`time`') });
    expect(reasonFor({ severity: 'awful' })).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('`severity`') });
  });

  test('lets nobody impersonate a sensor that has a decoder', () => {
    for (const { name } of sensors) expect(alertOf({ ...alert, sensor: name }).sensor).toBe('generic');
    expect(alertOf({ ...alert, sensor: '../x' }).sensor).toBe('generic');
  });

  test('recognizes a repeated alert by the sender’s id', () => {
    const { id } = alertOf({ ...alert, id: 'a-1' });
    expect(alertOf({ ...alert, id: 'a-1', process: { pid: 7 } }).id).toBe(id);
    expect(alertOf({ ...alert, id: 'a-2' }).id).not.toBe(id);
  });
});
