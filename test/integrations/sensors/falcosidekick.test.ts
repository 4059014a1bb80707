import { describe, expect, test } from '@jest/globals';
import { alertOf, fixture, itemsOf } from './read.ts';

const event = JSON.parse(fixture('falcosidekick/rw-webhook-uuid-customfields.json'));

describe('what Falcosidekick forwards', () => {
  test('is Falco’s alert', () => {
    expect(alertOf(event)).toMatchObject({
      sensor: 'falco',
      rule: 'Terminal shell in container',
      severity: 'low',
      time: '2026-06-01T10:00:00.000000012Z',
      title: 'A shell was spawned in a container',
      pod: { namespace: 'team-a', name: 'api-0' },
      container: { id: '84c0b936c919' },
      tags: ['T1059', 'shell', 'tagA'],
      mitre: ['T1059'],
    });
  });

  test('has an id that does not depend on the uuid, which is new on each send', () => {
    expect(alertOf({ ...event, uuid: 'another' }).id).toBe(alertOf(event).id);
    const { uuid: _uuid, ...direct } = event;
    expect(alertOf(direct, { sensor: 'falco' }).id).toBe(alertOf(event).id);
  });

  test('with truncated fields is still about its pod', () => {
    const alert = alertOf(fixture('falcosidekick/rw-webhook-truncated-fields.json'), { sensor: 'falcosidekick' });
    expect(alert).toMatchObject({ pod: { namespace: 'team-a', name: 'api-0' }, node: 'h1' });
    expect(alert.process?.commandLine?.endsWith('[...]')).toBe(true);
  });

  test('without a priority has no known severity', () => {
    const event = JSON.parse(fixture('falcosidekick/rw-webhook-empty-priority.json'));
    expect(alertOf({ ...event, time: '2026-06-01T10:00:00Z' }).severity).toBe('unknown');
  });

  test('with a time that was never set is rejected for that reason', () => {
    expect(itemsOf(fixture('falcosidekick/rw-webhook-empty-priority.json'))).toMatchObject([
      { kind: 'rejected', reason: expect.stringContaining('`time`') },
    ]);
  });

  test('sent as a test says so', () => {
    const alert = alertOf(fixture('falcosidekick/rw-test-rule.json'));
    expect(alert).toMatchObject({ rule: 'Test rule', severity: 'info', tags: ['example', 'test'] });
    expect(alert).not.toHaveProperty('node');
  });
});
