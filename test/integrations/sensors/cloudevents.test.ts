import { describe, expect, test } from '@jest/globals';
import { alertOf, fixture, itemsOf } from './read.ts';

const recorded = JSON.parse(fixture('cloudevents/rw-falcosidekick-binary-mode.json'));
const structured = (data: object) => ({
  specversion: '1.0',
  id: '1',
  source: 'x',
  type: 'y',
  datacontenttype: 'application/json',
  ...data,
});
const direct = alertOf(recorded.body);
const tracee = fixture('tracee/rw-legacy-flat-signature-v0.11.json');

describe('a CloudEvent', () => {
  test('in binary mode, as its headers and body were kept', () => {
    expect(alertOf(recorded)).toMatchObject({
      id: direct.id,
      sensor: 'falco',
      rule: 'Terminal shell in container',
      severity: 'low',
      pod: { namespace: 'team-a', name: 'api-0' },
    });
  });

  test.each([
    ['an object', { data: recorded.body }],
    ['a text', { data: JSON.stringify(recorded.body) }],
    ['base64', { data_base64: Buffer.from(JSON.stringify(recorded.body)).toString('base64') }],
  ])('in structured mode with its data as %s is the alert that it carries', (_how, data) => {
    expect(alertOf(structured(data))).toEqual(direct);
    expect(alertOf(structured(data), { sensor: 'falcosidekick' })).toEqual(direct);
    expect(alertOf(structured(data), { sensor: 'cloudevents' })).toEqual(direct);
  });

  test('in a batch with a bad one among them', () => {
    const batch = [structured({ data: recorded.body }), structured({ data: { hello: 1 } }), structured({})];
    expect(itemsOf(batch).map(({ kind }) => kind)).toEqual(['alert', 'rejected', 'rejected']);
  });

  test('around an API audit batch yields all its items', () => {
    const list = JSON.parse(fixture('kubernetes-audit/rw-eventlist-two-items-exec.json'));
    expect(itemsOf(structured({ data: list })).map(({ kind }) => kind)).toEqual(['ignored', 'alert']);
  });

  test('does not round numbers beyond 2^53 in its data', () => {
    const text = JSON.stringify(structured({})).replace(/\}$/, `,"data":${tracee}}`);
    expect(alertOf(text)).toEqual(alertOf(tracee));
    expect(alertOf(structured({ data: tracee })).time).toBe('2023-01-02T15:51:37.796957174Z');
  });
});
