import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { glob, type Match, regex } from '../../../core/playbook/match.ts';
import { conditionKey, exactRules, type MatchedAlert, matchAlert } from '../../../core/playbook/match-alert.ts';
import { problemsOfMatch } from '../../../core/playbook/match-problems.ts';
import { matchText } from '../../../core/playbook/match-text.ts';

const ruleOf = { rule: 'Terminal shell in container' };
const often: Match = { ...ruleOf, count: { times: 3, within: '10m' } };
const oftener: Match = { ...ruleOf, count: { times: 4, within: '10m' } };
const unfollowed: Match = { ...ruleOf, absent: { of: { rule: 'Session ended' }, within: '10m' } };
const stillWaiting: Match = { ...ruleOf, absent: { of: { rule: 'Session ended' }, within: '20m' } };

const alert: Alert = {
  id: '0123456789abcdef0123456789abcdef',
  sensor: 'falco',
  rule: 'Terminal shell in container',
  severity: 'high',
  priority: 'Notice',
  // A Friday, 23:30 in Berlin.
  time: '2026-11-27T22:30:00Z',
  receivedAt: '2026-11-27T22:30:00.000Z',
  title: 'A shell',
  cluster: 'lab',
  node: 'node-7',
  pod: { namespace: 'shop', name: 'cart-1', uid: 'uid-1' },
  workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
  container: { image: 'registry.example:5000/shop/cart:1.2', digest: `sha256:${'a'.repeat(64)}` },
  process: { name: 'bash', exe: '/usr/bin/bash', commandLine: 'bash -i', parent: 'runc', user: 'root' },
  facts: {
    labels: { team: 'shop', canary: null },
    privileged: true,
    exposure: ['service', 'ingress'],
    novelty: { state: 'novel', text: 'first time' },
    counts: { [conditionKey(often)]: 3, [conditionKey(oftener)]: 3 },
    missing: [conditionKey(unfollowed)],
  },
  observables: [],
  tags: ['container', 'mitre_execution'],
  mitre: ['T1059.004', 'TA0002'],
};
const berlin = (from: string, until: string) => ({ timeZone: 'Europe/Berlin', open: [{ days: ['fri'], from, until }] as const });

describe('a match', () => {
  const rows: readonly (readonly [Match, boolean | undefined])[] = [
    [{ rule: 'Terminal shell in container' }, true],
    [{ rule: ['Another', 'Terminal shell in container'] }, true],
    [{ rule: 'terminal shell in container' }, false],
    [{ rule: glob('Terminal shell*') }, true],
    [{ rule: ['Another', regex('SHELL', { ignoreCase: true })] }, true],
    [{ rule: regex('^shell') }, false],
    [{ sensor: 'falco', severity: ['critical', 'high'] }, true],
    [{ sensor: 'tetragon', severity: ['critical', 'high'] }, false],
    [{ priority: ['Warning', 'Notice'] }, true],
    [{ priority: 'Warning' }, false],
    [{ tag: glob('mitre_*') }, true],
    [{ tag: 'network' }, false],
    [{ technique: 'T1059' }, true],
    [{ technique: 'T1059.004' }, true],
    [{ act: ['shell', 'miner'] }, true],
    [{ act: 'escape' }, false],
    [{ technique: 'T1059.001' }, false],
    [{ technique: ['T1005', 'T1105'] }, false],
    [{ tactic: 'TA0002' }, true],
    [{ tactic: 'Execution' }, true],
    [{ tactic: ['credential-access'] }, false],
    [{ node: 'node-7', namespace: glob('sh*') }, true],
    [{ node: 'node-8' }, false],
    [{ namespace: ['pay', glob('kube-*')] }, false],
    [{ place: ['node', 'pod'] }, true],
    [{ place: 'workload' }, false],
    [{ workload: { kind: 'Deployment', name: ['cart', 'pay'] } }, true],
    [{ workload: { kind: 'StatefulSet' } }, false],
    [{ workload: { name: 'pay' } }, false],
    [{ labels: { team: 'shop' } }, true],
    [{ labels: { team: 'pay' } }, false],
    [{ labels: { canary: glob('*') } }, false],
    [{ image: { registry: 'registry.example:5000', repository: 'shop/cart', tag: '1.2' } }, true],
    [{ image: { registry: 'docker.io' } }, false],
    [{ image: { repository: 'shop/pay' } }, false],
    [{ image: { tag: regex('^1\\.3') } }, false],
    [{ image: { digest: `sha256:${'a'.repeat(64)}` } }, true],
    [{ image: { digest: `sha256:${'b'.repeat(64)}` } }, false],
    [
      { process: { name: 'bash', path: glob('/usr/bin/*'), arguments: regex('(^|\\s)-i\\b'), parent: 'runc', user: 'root' } },
      true,
    ],
    [{ process: { name: 'sh' } }, false],
    [{ process: { path: glob('/tmp/*') } }, false],
    [{ process: { arguments: 'bash' } }, false],
    [{ process: { parent: 'nginx' } }, false],
    [{ process: { user: 'www-data' } }, false],
    [{ privileged: true }, true],
    [{ privileged: false }, false],
    [{ exposure: ['external', 'ingress'] }, true],
    [{ exposure: ['external', 'none'] }, false],
    [{ novel: true }, true],
    [{ novel: 'among-peers' }, false],
    [often, true],
    [oftener, false],
    [unfollowed, true],
    [stillWaiting, undefined],
    [{ window: berlin('22:00', '06:00') }, true],
    [{ window: berlin('09:00', '17:00') }, false],
    [{ any: [{ rule: 'Another' }, { severity: 'high' }] }, true],
    [{ any: [{ rule: 'Another' }, { severity: 'low' }] }, false],
    [{ all: [{ rule: glob('*shell*') }, { namespace: 'shop' }] }, true],
    [{ all: [{ rule: glob('*shell*') }, { namespace: 'pay' }] }, false],
    [{ severity: 'high', not: { namespace: 'kube-system' } }, true],
    [{ severity: 'high', not: { namespace: 'shop' } }, false],
  ];
  test.each(rows.map(([match, is]) => [matchText(match), match, is] as const))('%s', (_text, match, is) => {
    expect(matchAlert(match, alert)).toBe(is);
    expect(problemsOfMatch(match)).toEqual([]);
  });

  test('is plain data', () => {
    for (const [match, is] of rows) expect(matchAlert(JSON.parse(JSON.stringify(match)), alert)).toBe(is);
  });

  test('is tested with each keyword, once on an alert that it matches and once on another', () => {
    const listed = (match: object, of: string): readonly string[] =>
      new RegExp(`^on\\.match\\.${of} is unknown: use one of (.*)$`).exec(problemsOfMatch(match)[0] ?? '')?.[1]?.split(', ') ??
      [];
    const partsOf = (word: string): readonly string[] =>
      word === 'not' ? [] : listed({ [word]: { other: 'x' } }, `${word}.other`).map((part) => `${word}.${part}`);
    const words = listed({ other: 'x' }, 'other').flatMap((word) => (partsOf(word).length > 0 ? partsOf(word) : [word]));
    expect(words).toEqual(expect.arrayContaining(['rule', 'image.digest', 'tactic', 'absent', 'exposure', 'not']));
    const asked = (match: object): readonly string[] =>
      Object.entries(match).flatMap(([word, value]) =>
        partsOf(word).length > 0 ? Object.keys(value).map((part) => `${word}.${part}`) : [word],
      );
    const lacking = (holds: boolean): readonly string[] => {
      const shown = new Set(rows.flatMap(([match, is]) => ((is === true) === holds ? asked(match) : [])));
      return words.filter((word) => !shown.has(word));
    };
    expect({ matches: lacking(true), doesNot: lacking(false) }).toEqual({ matches: [], doesNot: [] });
  });

  test('on exposure can require that there is none', () => {
    const unreached = { ...alert, facts: { exposure: [] } };
    expect(matchAlert({ exposure: 'none' }, unreached)).toBe(true);
    expect(matchAlert({ exposure: 'service' }, unreached)).toBe(false);
    expect(matchAlert({ exposure: 'none' }, alert)).toBe(false);
  });
});

describe('what is unknown', () => {
  const of: Match = {
    any: [],
    priority: 'Notice',
    node: 'n',
    namespace: 'shop',
    workload: { kind: 'Deployment', name: 'cart' },
    labels: { team: 'shop' },
    image: { registry: 'r', repository: 'r', tag: 't', digest: 'd' },
    process: { name: 'n', path: 'p', arguments: 'a', parent: 'p', user: 'u' },
    window: berlin('09:00', '17:00'),
    place: 'pod',
    privileged: false,
    exposure: 'none',
    novel: true,
  };
  const { any: _, ...fields } = of;
  const single = Object.entries(fields).flatMap(([name, value]) =>
    typeof value === 'object' && name !== 'window'
      ? Object.entries(value).map(([part, text]) => [`${name}.${part}`, { [name]: { [part]: text } }] as const)
      : [[name, { [name]: value }] as const],
  );
  const bare: MatchedAlert = { rule: 'r', sensor: 's', severity: 'unknown', tags: [], mitre: [] };

  test.each(single)('%s does not match, and neither does its negation', (_name, match: Match) => {
    expect(matchAlert(match, bare)).toBeUndefined();
    expect(matchAlert({ not: match }, bare)).toBeUndefined();
    expect(matchAlert({ not: { not: match } }, bare)).toBeUndefined();
  });

  test('includes a guessed workload', () => {
    const guessed = { ...alert, workload: { kind: 'Deployment', namespace: 'shop', name: 'cart', guessed: true } } as const;
    expect(matchAlert({ workload: { name: 'cart' } }, guessed)).toBeUndefined();
    expect(matchAlert({ not: { workload: { name: 'pay' } } }, guessed)).toBeUndefined();
    expect(matchAlert({ namespace: 'shop' }, guessed)).toBe(true);
  });

  test('includes a severity that the sensor does not report: neither it nor its negation matches', () => {
    expect(matchAlert({ severity: 'high' }, bare)).toBeUndefined();
    expect(matchAlert({ not: { severity: 'high' } }, bare)).toBeUndefined();
    expect(matchAlert({ severity: ['high', 'unknown'] }, bare)).toBe(true);
  });

  test('does not matter if something else decides', () => {
    const unknown: Match = { namespace: 'shop' };
    expect(matchAlert({ any: [unknown, { rule: 'r' }] }, bare)).toBe(true);
    expect(matchAlert({ any: [unknown, { rule: 'x' }] }, bare)).toBeUndefined();
    expect(matchAlert({ all: [unknown, { rule: 'x' }] }, bare)).toBe(false);
    expect(matchAlert({ all: [unknown, { rule: 'r' }] }, bare)).toBeUndefined();
    expect(matchAlert({ not: { all: [unknown, { rule: 'x' }] } }, bare)).toBe(true);
  });

  test('includes a subject of which only a part is known', () => {
    const { pod: _, workload: __, container: ___, ...onNode } = alert;
    expect(matchAlert({ place: 'pod' }, alert)).toBe(true);
    expect(matchAlert({ place: 'node' }, { ...onNode, node: 'n1' })).toBe(true);
    expect(matchAlert({ place: 'node' }, { ...onNode, node: 'n1', container: { id: '3f2a' } })).toBeUndefined();
    expect(matchAlert({ place: 'node' }, { rule: alert.rule })).toBeUndefined();
  });

  test('does not include tags: no tags means none', () => {
    expect(matchAlert({ tag: 'x' }, bare)).toBe(false);
    expect(matchAlert({ rule: 'r', not: { tag: 'x', technique: 'T1059' } }, bare)).toBe(true);
    expect(matchAlert({ tag: 'x' }, { rule: 'r' })).toBeUndefined();
  });
});

describe('the rules that a match is bound to', () => {
  test.each<[Match, readonly string[] | undefined]>([
    [{ rule: 'A' }, ['A']],
    [{ rule: ['A', 'B'], severity: 'high' }, ['A', 'B']],
    [{ rule: ['A', glob('B*')] }, undefined],
    [{ severity: 'high' }, undefined],
    [{ any: [{ rule: 'A' }, { rule: 'B', namespace: 'x' }] }, ['A', 'B']],
    [{ any: [{ rule: 'A' }, { namespace: 'x' }] }, undefined],
    [{ all: [{ namespace: 'x' }, { rule: 'A' }] }, ['A']],
    [{ rule: ['A', 'B'], all: [{ rule: ['B', 'C'] }] }, ['B']],
    [{ not: { rule: 'A' } }, undefined],
  ])('%j: %j', (match, rules) => {
    expect(exactRules(match)).toEqual(rules && new Set(rules));
  });
});

test.each<[unknown, string]>([
  [undefined, 'has to be an object'],
  [{}, 'would match every alert'],
  [{ rule: [] }, 'on.match.rule is an empty list'],
  [{ rule: '' }, 'on.match.rule is an empty text'],
  [{ rule: 7 }, 'not 7'],
  [{ rule: /shell/ }, 'write regex('],
  [{ rules: ['A'] }, 'on.match.rules is unknown: use one of rule'],
  [{ rule: regex('(a)\\1') }, 'backreference'],
  [{ process: { arguments: ['x', regex('(?=x)')] } }, 'on.match.process.arguments: "(?=x)" cannot be run'],
  [{ process: { command: 'x' } }, 'on.match.process.command is unknown: use one of name, path, arguments'],
  [{ severity: 'warning' }, '"warning" is not valid: use critical'],
  [{ technique: 'Execution' }, 'ids such as T1059'],
  [{ tactic: 'Shells' }, 'names such as credential_access'],
  [{ labels: {} }, 'on.match.labels is empty'],
  [{ any: [] }, 'on.match.any has to be a list'],
  [{ any: [{ rule: 'A' }, {}] }, 'on.match.any[1] is empty'],
  [{ not: { severity: 'loud' } }, 'on.match.not.severity'],
  [{ window: { timeZone: '+02:00', open: [] } }, 'on.match.window.timeZone has to be an IANA time zone'],
  [{ window: { timeZone: 'UTC', open: [{ days: ['friday'], from: '9:00', until: '17:00' }] } }, 'on.match.window.open[0].days'],
])('%j is refused: %s', (match, why) => {
  expect(problemsOfMatch(match).join('; ')).toContain(why);
});

test('a match that is nested without end is refused', () => {
  let match: Match = { rule: 'A' };
  for (let depth = 0; depth < 12; depth += 1) match = { not: match };
  expect(problemsOfMatch(match).join()).toContain('nested more than');
});
