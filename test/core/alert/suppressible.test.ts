import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { suppressibleIn } from '../../../core/alert/suppressible.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { matchOf } from '../../../core/orders/suppression.ts';

let number = 0;
function recordOf(...alerts: readonly Readonly<Record<string, unknown>>[]): AuditRecord {
  number += 1;
  const kind = number === 1 ? 'incident.opened' : 'alert.joined';
  return { chain: 'incident/lab/shop/Deployment/debug@r', number, at: '', kind, actor: 'sensor/falco', body: { alerts } };
}

const sha = (letter: string) => `sha256:${letter.repeat(64)}`;
const workload = { namespace: 'shop', kind: 'Deployment', name: 'debug' };
const shell = { rule: 'Shell', severity: 'low', sensor: 'falco', digest: sha('d'), workload };

describe('what can be suppressed according to an incident’s records', () => {
  test('each kind of alert once, newest first, with its worst severity', () => {
    const { kinds, not } = suppressibleIn([
      recordOf(shell, { ...shell, severity: 'high' }, { ...shell, rule: 'Read' }),
      recordOf({ ...shell, digest: sha('e') }, shell),
    ]);
    expect(kinds.map(({ match, severity }) => [match.rule, match.image.digest, severity])).toEqual([
      ['Shell', sha('d'), 'high'],
      ['Shell', sha('e'), 'low'],
      ['Read', sha('d'), 'low'],
    ]);
    expect(not).toEqual([]);
  });

  test.each([
    ['an alert in doubt', { ...shell, unsuppressible: 'in doubt' }, 'in doubt'],
    ['a guessed owner', { rule: 'Shell', unsuppressible: 'guessed owner' }, 'guessed'],
    ['an image without digest', { rule: 'Shell', unsuppressible: 'unknown image' }, 'digest'],
    ['an invalid digest', { ...shell, digest: 'latest' }, 'digest'],
    ['an alert with no workload on record', { rule: 'Shell', severity: 'low', sensor: 'falco', digest: sha('d') }, 'its record'],
  ])('excludes %s, with the reason', (_what, alert, why) => {
    const { kinds, not } = suppressibleIn([recordOf(alert)]);
    expect(kinds).toEqual([]);
    expect(not).toMatchObject([{ rule: 'Shell', why: expect.stringContaining(why) }]);
  });

  test('ignores malformed records', () => {
    const odd = { ...recordOf(), body: { alerts: [null, 7, 'x', { rule: 3 }, { ...shell, workload: 'cart' }] } };
    expect(suppressibleIn([odd, { ...recordOf(), body: { alerts: 'none' } }]).kinds).toEqual([]);
  });
});

const known: Alert = {
  id: 'a'.repeat(32),
  sensor: 'falco',
  rule: 'Shell',
  severity: 'low',
  time: '2026-11-24T21:41:44.717016731Z',
  title: 'A shell was spawned',
  cluster: 'lab',
  pod: { namespace: 'shop', name: 'debug-1', uid: 'uid-1' },
  workload,
  container: { digest: sha('d') },
  observables: [],
  tags: [],
  mitre: [],
};

describe('the match that suppresses alerts like this one', () => {
  test('names rule, workload, image and sensor', () => {
    expect(matchOf(known)).toEqual({
      rule: 'Shell',
      sensor: 'falco',
      namespace: 'shop',
      workload: { kind: 'Deployment', name: 'debug' },
      image: { digest: sha('d') },
    });
  });

  test.each([
    ['in doubt', { doubt: 'another node' }],
    ['no workload', { workload: undefined }],
    ['guessed owner', { workload: { ...workload, guessed: true as const } }],
    ['unknown pod', { pod: { namespace: 'shop', name: 'debug-1' } }],
    ['unknown image', { container: {} }],
  ])('does not exist: %s', (unsuppressible, over) => {
    expect(matchOf({ ...known, ...over } as Alert)).toEqual({ unsuppressible });
  });
});
