import { describe, expect, test } from '@jest/globals';
import { quarantinePod } from '../../../core/actions/index.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { ownRules, ownSensor } from '../../../core/alert/own-alerts.ts';
import { headStartOf } from '../../../core/incident/head-start.ts';
import { answeredBy, answering, chosenFrom, isFor, subjectKeyOf } from '../../../core/playbook/answering.ts';
import { glob, type Match, regex } from '../../../core/playbook/match.ts';
import { type AnyPlaybook, definePlaybook } from '../../../core/playbook/playbook.ts';
import { assessedAs } from '../../fixtures/assessed.ts';

const alert: Alert = {
  id: '0123456789abcdef0123456789abcdef',
  sensor: 'falco',
  rule: 'Run shell untrusted',
  severity: 'critical',
  time: '2026-11-27T22:30:00Z',
  title: 'A shell',
  cluster: 'lab',
  node: 'node-7',
  pod: { namespace: 'shop', name: 'cart-1', uid: 'uid-1' },
  workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
  observables: [],
  tags: [],
  mitre: [],
};
function playbook(id: string, match: Match | 'unanswered', over: Partial<AnyPlaybook> = {}): AnyPlaybook {
  return { id, title: id, on: { match, minSeverity: 'low', requires: [] }, uses: {}, ...over };
}
const idsOf = (playbooks: readonly AnyPlaybook[], given: Alert = alert): readonly string[] =>
  answering(playbooks, given).map(({ id }) => id);

describe('of several playbooks', () => {
  const exact = playbook('exact', { rule: 'Run shell untrusted' });
  const like = playbook('like', { rule: glob('Run *') });
  const wide = playbook('wide', { severity: 'critical' });
  const rest = playbook('rest', 'unanswered');

  test('each that matches answers, in the order of the list', () => {
    expect(idsOf([wide, exact, rest, like])).toEqual(['wide', 'exact', 'like']);
    expect(idsOf([wide, exact, rest, like], { ...alert, rule: 'Another' })).toEqual(['wide']);
    expect(idsOf([exact, rest, like], { ...alert, rule: 'Another' })).toEqual(['rest']);
  });

  test('the one with the highest priority comes first', () => {
    expect(idsOf([wide, { ...exact, priority: 5 }, { ...like, priority: 10 }])).toEqual(['like', 'exact', 'wide']);
  });

  test('an exclusive one keeps those of lower priority from answering, if it answers itself', () => {
    const alone = { ...exact, priority: 5, exclusive: true } as const;
    expect(idsOf([wide, alone, { ...like, priority: 5 }, { ...playbook('first', { sensor: 'falco' }), priority: 9 }])).toEqual([
      'first',
      'exact',
      'like',
    ]);
    expect(idsOf([wide, alone, like], { ...alert, rule: 'Run *' })).toEqual(['wide', 'like']);
    const needs = { ...alone, on: { ...alone.on, requires: ['workload'] } } as const;
    const { workload: _, ...without } = alert;
    expect(idsOf([wide, needs], without)).toEqual(['wide']);
  });

  test('one suppressed by an exclusive one gets no head start either', () => {
    const starts = { ...playbook('starts', { severity: 'critical' }), contains: 'pod' } as const;
    const subject = { kind: 'workload', cluster: 'lab', namespace: 'shop', ownerKind: 'Deployment', name: 'cart' } as const;
    const stepFor = (playbooks: readonly AnyPlaybook[]) =>
      headStartOf(
        { alert: { ...alert, assessment: assessedAs('contain') }, subject, receivedAt: alert.time },
        { playbooks, now: Date.parse(alert.time) },
      )?.playbook;
    expect(stepFor([starts, exact])).toBe('starts');
    expect(stepFor([starts, { ...exact, priority: 1, exclusive: true }])).toBeUndefined();
  });
});

describe('what contains for the rest', () => {
  const contains = { contains: 'pod' } as const;
  const rest = playbook('rest', 'unanswered');
  const containing = playbook('containing', 'unanswered', contains);
  const exact = playbook('exact', { rule: 'Run shell untrusted' });
  const toContain = (over: Partial<Alert> = {}): Alert => ({ ...alert, assessment: assessedAs('contain'), ...over });
  const inMode = (mode: 'ask' | 'observe') => ({
    assessment: { ...assessedAs('contain'), mode, response: mode === 'ask' ? 'ask' : 'file' } as const,
  });

  test('answers beside what does not contain, if the pod is to be contained', () => {
    expect(idsOf([rest, containing, exact], toContain())).toEqual(['exact', 'containing']);
    expect(idsOf([rest, containing, { ...exact, priority: 1, exclusive: true }], toContain())).toEqual(['exact', 'containing']);
    for (const response of ['ask', 'file', 'watch'] as const)
      expect(idsOf([rest, containing, exact], toContain({ assessment: assessedAs(response) }))).toEqual(['exact']);
    expect(idsOf([rest, containing, exact])).toEqual(['exact']);
  });

  test('answers in place of those that ask about unanswered alerts, also before its rule has come often enough', () => {
    expect(idsOf([rest, containing], toContain())).toEqual(['containing']);
    expect(idsOf([rest, containing], toContain({ countedFor: ['often'] }))).toEqual(['containing']);
    expect(idsOf([rest, containing])).toEqual(['rest']);
  });

  test('does so as if, where the mode lets the cell do nothing by itself', () => {
    for (const mode of ['ask', 'observe'] as const)
      expect(idsOf([rest, containing, exact], toContain(inMode(mode)))).toEqual(['exact', 'containing']);
  });

  test('leaves it to a playbook that contains, or that keeps the evidence first', () => {
    expect(idsOf([containing, { ...exact, ...contains }], toContain())).toEqual(['exact']);
    expect(idsOf([containing, { ...exact, evidenceFirst: '5m' }], toContain())).toEqual(['exact']);
  });

  test('answers nothing of Firebreak’s own, nothing that claims to be, and nothing that is delivered again', () => {
    const order = toContain({ rule: ownRules.quarantine });
    expect(idsOf([containing], { ...order, sensor: ownSensor })).toEqual([]);
    expect(idsOf([containing], order)).toEqual([]);
    expect(idsOf([containing, exact], toContain({ againFor: ['exact'] }))).toEqual(['exact']);
  });

  test('runs once for a pod, whichever rule it was: another body of the pod is told', () => {
    const keys = ['One', 'Another'].map((rule) => subjectKeyOf(containing, toContain({ rule })));
    expect(new Set([...keys, subjectKeyOf(exact, alert)]).size).toBe(1);
    expect(subjectKeyOf(rest, alert)).not.toBe(keys[0]);
  });
});

describe('of playbooks that are chosen from lists', () => {
  const exact = playbook('exact', { rule: 'Run shell untrusted' }, { priority: 5 });
  const like = playbook('like', { rule: glob('Run *') });
  const wide = playbook('wide', { severity: 'critical' }, { priority: 9 });
  const rest = playbook('rest', 'unanswered');

  test('the same answer in the same order as of one list of them', () => {
    const lists = [[like, rest, exact], [wide]];
    for (const left of [[], ['wide'], ['exact', 'wide'], ['rest'], ['like', 'exact', 'wide']]) {
      const isChosen = ({ id }: AnyPlaybook): boolean => !left.includes(id);
      for (const given of [alert, { ...alert, rule: 'Run it' }, { ...alert, rule: 'Another', severity: 'low' } as const])
        expect([left, idsOf(chosenFrom(lists, isChosen), given)]).toEqual([left, idsOf(lists.flat().filter(isChosen), given)]);
    }
    expect(idsOf(chosenFrom(lists, () => true))).toEqual(['wide', 'exact', 'like']);
  });

  test('the lists are indexed once, however many choose from them', () => {
    let read = 0;
    const other = playbook('other', { rule: 'Another rule' });
    const { on } = other;
    const counted: AnyPlaybook = {
      ...other,
      get on() {
        read += 1;
        return on;
      },
    };
    const lists = [[exact, counted]];
    expect(idsOf(chosenFrom(lists, () => true))).toEqual(['exact']);
    const forTheIndex = read;
    expect(forTheIndex).toBeGreaterThan(0);
    for (let n = 0; n < 10; n += 1) expect(idsOf(chosenFrom(lists, () => true))).toEqual(['exact']);
    expect(read).toBe(forTheIndex);
  });
});

describe('an alert of Firebreak’s own', () => {
  const own = { ...alert, sensor: ownSensor, rule: ownRules.quarantine };

  test('is answered by the playbook that names its rule, but not by one for a whole severity', () => {
    expect(idsOf([playbook('wide', { severity: 'critical' }), playbook('order', { rule: ownRules.quarantine })], own)).toEqual([
      'order',
    ]);
    expect(idsOf([playbook('like', { rule: glob('Quarantine*') }), playbook('rest', 'unanswered')], own)).toEqual(['rest']);
  });

  test('is not answered if it comes from a sensor, whatever the match', () => {
    const borrowed = { ...own, sensor: 'falco' };
    const all = [
      playbook('wide', { severity: 'critical' }),
      playbook('like', { rule: regex('.') }),
      playbook('rest', 'unanswered'),
    ];
    expect(idsOf(all, borrowed)).toEqual(['rest']);
  });
});

test('a body runs once per pod, workload or node', () => {
  const of = (per: AnyPlaybook['per'], given = alert) => subjectKeyOf(playbook('p', { rule: 'r' }, per ? { per } : {}), given);
  expect([of(undefined), of('pod'), of('workload'), of('node')]).toEqual([
    'pod:uid-1',
    'pod:uid-1',
    'workload:Deployment/shop/cart',
    'node:node-7',
  ]);
  const { node: _, ...nowhere } = alert;
  expect(of('node', nowhere)).toBe('workload:Deployment/shop/cart');
  const { pod, workload, ...host } = alert;
  expect([pod?.uid, workload?.name, of('pod', host)]).toEqual(['uid-1', 'cart', 'node:node-7']);
});

test('a playbook is for the rules that it names, by any pattern, but not for those matched only by severity', () => {
  const rule = (match: Match) => isFor(playbook('p', match), { ...alert, severity: 'low' });
  expect(rule({ rule: 'Run shell untrusted', severity: 'critical' })).toBe(true);
  expect(rule({ any: [{ rule: glob('Run*') }, { severity: 'high' }] })).toBe(true);
  expect(rule({ rule: 'Another' })).toBe(false);
  expect(rule({ severity: 'critical' })).toBe(false);
});

test('a playbook whose match cannot be run cannot be defined', () => {
  const define = (match: Match) =>
    definePlaybook(
      { id: 'mine', title: 'Mine', on: { match, minSeverity: 'low', requires: [] }, uses: { quarantinePod } },
      async () => undefined,
    );
  expect(() => define({ rule: regex('(a+)\\1') })).toThrow('playbook mine: on.match.rule: "(a+)\\\\1" cannot be run');
  expect(() => define({})).toThrow(TypeError);
  expect(define({ rule: regex('^(a+)+$') }).id).toBe('mine');
});

describe('whether a playbook is made for an alert', () => {
  const isAnswered = answeredBy([playbook('exact', { rule: 'Run shell untrusted' }), playbook('rest', 'unanswered')]);
  test.each([
    ['that calls for it', { calls: ['exact', 'rest'] }, true],
    ['that has begun to count for it', { countedFor: ['exact'] }, true],
    ['that only what takes the rest answers', { calls: ['rest'] }, false],
    ['that nothing answers', {}, false],
    ['of Firebreak itself', { sensor: ownSensor }, true],
  ])('%s', (_, over, is) => expect(isAnswered({ ...alert, ...over })).toBe(is));
});
