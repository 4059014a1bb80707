import { describe, expect, test } from '@jest/globals';
import { array, assert, integer, property, record } from 'fast-check';
import type { Alert } from '../../../core/alert/alert.ts';
import { ownRules, ownSensor } from '../../../core/alert/own-alerts.ts';
import { AlertStamps, askedFacts } from '../../../core/playbook/alert-stamps.ts';
import { answering } from '../../../core/playbook/answering.ts';
import { glob, type Match } from '../../../core/playbook/match.ts';
import { problemsOfMatch } from '../../../core/playbook/match-problems.ts';
import { matchText } from '../../../core/playbook/match-text.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import { AlertCounts, type AwaitedAlert, type AwaitedStore, type CountStore } from '../../../core/playbook/timed-conditions.ts';

const minute = 60_000;
let serial = 0;

function alertOf(change: Partial<Alert> = {}, workload = 'cart'): Alert {
  serial += 1;
  return {
    id: serial.toString(16).padStart(12, '0').padEnd(32, 'f'),
    sensor: 'falco',
    rule: 'Read sensitive file',
    severity: 'high',
    time: '2026-11-27T22:30:00Z',
    title: 'Read',
    cluster: 'lab',
    node: 'node-7',
    pod: { namespace: 'shop', name: `${workload}-1`, uid: `uid-${workload}` },
    workload: { kind: 'Deployment', namespace: 'shop', name: workload },
    observables: [],
    tags: [],
    mitre: [],
    ...change,
  };
}

function playbook(id: string, match: Match | 'unanswered', over: Partial<AnyPlaybook> = {}): AnyPlaybook {
  return { id, title: id, on: { match, minSeverity: 'low', requires: [] }, uses: {}, ...over };
}

function countsOf(taken: ReturnType<AlertCounts['take']>): readonly number[] {
  return Object.values(taken?.counts ?? {});
}

/** Like a disk, it returns what was written, not what has become of it since. */
function storeOfCounts() {
  const kept = new Map<string, Parameters<CountStore['put']>[1]>();
  const keeper: CountStore = {
    load: () => structuredClone([...kept]),
    put: (key, entry) => void kept.set(key, entry),
    remove: (key) => void kept.delete(key),
  };
  return { kept, keeper };
}

const often: Match = { rule: 'Read sensitive file', count: { times: 3, within: '10m' } };
const rest = playbook('rest', 'unanswered');

describe('a match that counts', () => {
  test('holds once there are enough alerts within the time', () => {
    const stamps = new AlertStamps({ playbooks: [playbook('often', often), rest] });
    const at = [0, 4, 9, 12, 20, 40].map((minutes) => stamps.stamp(alertOf(), minutes * minute).calls);
    // At minute 12 the first is too old, at minute 20 all but one are.
    expect(at).toEqual([undefined, undefined, ['often'], ['often'], undefined, undefined]);
  });

  test('starts nothing until then, not even a playbook for unanswered alerts, and says for which playbook it counted', () => {
    const playbooks = [playbook('often', often), rest];
    const stamps = new AlertStamps({ playbooks });
    const first = stamps.stamp(alertOf(), 0);
    expect(first).toMatchObject({ countedFor: ['often'] });
    expect(answering(playbooks, first)).toEqual([]);
    const other = stamps.stamp(alertOf({ rule: 'Another' }), 0);
    expect([other.calls, other.countedFor]).toEqual([['rest'], undefined]);
  });

  test('counts the API requests of one account, whatever they are about', () => {
    const counts = new AlertCounts({
      playbooks: [playbook('p', { rule: 'Secret read', count: { times: 30, within: '10m', per: 'account' } })],
    });
    const got = ['eve', 'eve', 'ada', 'eve'].map((account, at) => {
      const read = alertOf({ rule: 'Secret read', apiRequest: { account, verb: 'get', name: `secret-${at}` } }, `w${at}`);
      return countsOf(counts.take(read, minute));
    });
    expect(got).toEqual([[1], [2], [1], [3]]);
  });

  test('does not change how other playbooks run', () => {
    const stamps = new AlertStamps({ playbooks: [playbook('often', often), playbook('each', { rule: 'Read sensitive file' })] });
    expect(stamps.stamp(alertOf(), 0)).toMatchObject({ calls: ['each'], countedFor: ['often'] });
  });

  test.each([
    ['workload', ['cart', 'cart', 'pay', 'pay'], [1, 2, 1, 2]],
    ['cluster', ['cart', 'cart', 'pay', 'pay'], [1, 2, 3, 4]],
    ['pod', ['cart', 'pay', 'cart', 'pay'], [1, 1, 2, 2]],
    ['node', ['cart', 'pay', 'cart', 'pay'], [1, 2, 3, 4]],
  ] as const)('counts per %s', (per, workloads, expected) => {
    const counts = new AlertCounts({
      playbooks: [playbook('p', { rule: glob('Read*'), count: { times: 5, within: '1h', per } })],
    });
    const got = workloads.map((workload) => countsOf(counts.take(alertOf({}, workload), minute)));
    expect(got).toEqual(expected.map((one) => [one]));
  });

  test('counts only alerts that the rest of it matches, and repeats once', () => {
    const counts = new AlertCounts({ playbooks: [playbook('p', { ...often, severity: 'critical' })] });
    expect(counts.take(alertOf(), 0)).toBeUndefined();
    const alert = alertOf({ severity: 'critical' });
    expect([0, 1, 2].map((second) => countsOf(counts.take(alert, second * 1_000)))).toEqual([[1], [1], [1]]);
  });

  test('counts nothing that a sensor sends in Firebreak’s name', () => {
    const counts = new AlertCounts({ playbooks: [playbook('p', { rule: glob('*'), count: { times: 2, within: '1h' } })] });
    expect(counts.take(alertOf({ rule: ownRules.quarantine }), 0)).toBeUndefined();
    expect(counts.take(alertOf({ sensor: ownSensor }), 0)).toBeUndefined();
  });

  test('stays bounded whatever comes, and no condition displaces another', () => {
    const counts = new AlertCounts({ playbooks: [playbook('p', often), playbook('q', { ...often, rule: 'Other' })] });
    counts.take(alertOf({ rule: 'Other' }), 0);
    for (let at = 0; at < 12_000; at += 1) counts.take(alertOf({}, `w${at}`), at);
    expect(counts.size).toBe(5_001);
    expect(countsOf(counts.take(alertOf({ rule: 'Other' }), 12_000))).toEqual([2]);
  });

  test('continues to count after a restart; what no playbook counts any more is forgotten', () => {
    const { kept, keeper } = storeOfCounts();
    const playbooks = [playbook('often', often)];
    const before = new AlertStamps({ playbooks, counts: keeper });
    before.stamp(alertOf(), 0);
    before.stamp(alertOf(), minute);
    expect(new AlertStamps({ playbooks, counts: keeper }).stamp(alertOf(), 2 * minute).calls).toEqual(['often']);
    expect(kept.size).toBe(1);
    new AlertStamps({ playbooks: [], counts: keeper });
    expect(kept.size).toBe(0);
  });

  test('counts the same as a full list would, whatever the clock does and whatever is repeated', () => {
    const step = record({ id: integer({ min: 0, max: 12 }), forward: integer({ min: -4, max: 6 }) });
    const anyOrder = property(array(step, { maxLength: 60 }), integer({ min: 2, max: 6 }), (steps, times) => {
      const condition = { times, within: '10m' } as const;
      const counts = new AlertCounts({ playbooks: [playbook('p', { ...often, count: condition })] });
      let list: readonly { readonly id: number; readonly at: number }[] = [];
      let now = 100 * minute;
      for (const { id, forward } of steps) {
        now += forward * minute;
        const young = list.filter(({ at }) => at <= now && now - at < 10 * minute);
        list = young.some((one) => one.id === id) ? young : [...young, { id, at: now }].slice(-times);
        const counted = counts.take(alertOf({ id: String(id).padStart(12, '0') }), now);
        expect(counted?.reached).toBe(list.length === times);
        expect(countsOf(counted)).toEqual([list.length]);
      }
    });
    assert(anyOrder, { numRuns: 200 });
  });

  test('never confuses two subjects, whatever their names', () => {
    const { kept, keeper } = storeOfCounts();
    const playbooks = [playbook('often', often)];
    const names = ['cart', 'cart\nother', `${'x'.repeat(300)}1`, `${'x'.repeat(300)}2`];
    const before = new AlertCounts({ playbooks, kept: keeper });
    for (const name of names) before.take(alertOf({}, name), 0);
    const after = new AlertCounts({ playbooks, kept: keeper });
    for (const name of names) expect(countsOf(after.take(alertOf({}, name), minute))).toEqual([2]);
    expect(Math.max(...[...kept.keys()].map(({ length }) => length))).toBeLessThan(200);
  });

  test.each([
    ['10m', 6],
    ['1m', 1],
    ['7d', 10],
  ] as const)('within %s is stored every %d seconds once it is reached, not for each alert of a storm', (within, seconds) => {
    const written: number[] = [];
    const keeper: CountStore = { load: () => [], put: (_, { at }) => written.push(at), remove: () => {} };
    const condition = { times: 3, within };
    const counts = new AlertCounts({ playbooks: [playbook('p', { ...often, count: condition })], kept: keeper });
    for (let at = 0; at < 60_000; at += 10) counts.take(alertOf(), at);
    const after = written.slice(3).map((at, place) => at - (written[place + 2] ?? 0));
    expect(written.slice(0, 3)).toEqual([0, 10, 20]);
    expect(new Set(after)).toEqual(new Set([seconds * 1_000]));
  });

  test('is still reached after a crash, accurate to a hundredth of the time', () => {
    const { keeper } = storeOfCounts();
    const playbooks = [playbook('often', often)];
    const before = new AlertCounts({ playbooks, kept: keeper });
    for (let at = 0; at < 60_000; at += 1_000) before.take(alertOf(), at);
    const after = new AlertCounts({ playbooks, kept: keeper });
    expect(after.take(alertOf(), 10 * minute + 50_000)).toMatchObject({ reached: true });
  });
});

describe('a match that waits for something to follow', () => {
  const begins: Match = {
    rule: 'Backup begins',
    absent: { of: { rule: 'Backup ends' }, within: '10m' },
  };
  const playbooks = [playbook('missing', begins), rest];
  const starts = (workload = 'cart') => alertOf({ rule: 'Backup begins' }, workload);
  const ends = (workload = 'cart') => alertOf({ rule: 'Backup ends' }, workload);

  test('is reported again when the time is over, for its playbook only', () => {
    const stamps = new AlertStamps({ playbooks: [...playbooks, playbook('each', { rule: 'Backup begins' })] });
    const first = stamps.stamp(starts(), 0);
    expect(first).toMatchObject({ calls: ['each'], countedFor: ['missing'] });
    expect(stamps.over(9 * minute)).toEqual([]);
    const [over] = stamps.over(10 * minute);
    if (!over) throw new Error('nothing is over');
    expect(over.alert).toMatchObject({ rule: 'Backup begins', againFor: ['missing'] });
    expect(over.alert.id).not.toBe(first.id);
    expect(stamps.stamp(over.alert, 10 * minute).calls).toEqual(['missing']);
    // Until it is known to be durable, it is reported again under the same id.
    expect(stamps.over(11 * minute)[0]?.alert.id).toBe(over.alert.id);
    stamps.told(over.condition, over.of);
    expect(stamps.over(11 * minute)).toEqual([]);
  });

  test('stops waiting once it has come, for the same workload', () => {
    const stamps = new AlertStamps({ playbooks });
    for (const workload of ['cart', 'pay']) stamps.stamp(starts(workload), 0);
    stamps.heard(ends('cart'));
    expect(stamps.over(10 * minute).map(({ alert }) => alert.workload?.name)).toEqual(['pay']);
  });

  test('counts from the first of several', () => {
    const stamps = new AlertStamps({ playbooks });
    stamps.stamp(starts(), 0);
    stamps.stamp(starts(), 9 * minute);
    expect(stamps.over(10 * minute)).toHaveLength(1);
  });

  test('continues to wait after a restart, and leaves time for what ends it to arrive', () => {
    const kept = new Map<string, AwaitedAlert>();
    const keeper: AwaitedStore = {
      entries: () => [...kept].map(([key, { due }]) => [key, due] as const),
      get: (key) => kept.get(key),
      put: (key, awaited) => void kept.set(key, awaited),
      remove: (key) => void kept.delete(key),
    };
    new AlertStamps({ playbooks, awaited: keeper }).stamp(starts(), 0);
    const after = new AlertStamps({ playbooks, awaited: keeper, notBefore: 61 * minute });
    expect(after.over(60 * minute)).toEqual([]);
    expect(after.over(61 * minute)).toHaveLength(1);
    after.heard(ends());
    expect([after.over(61 * minute), kept.size]).toEqual([[], 0]);
  });

  test('reports when it is full, and keeps those that it has', () => {
    const full: string[] = [];
    const stamps = new AlertStamps({ playbooks, full: (condition) => full.push(condition) });
    for (let at = 0; at < 1_010; at += 1) stamps.stamp(starts(`w${at}`), 0);
    expect([full.length, stamps.over(10 * minute).length]).toEqual([10, 1_000]);
  });
});

test('only facts that an enabled playbook needs are looked up', () => {
  expect(askedFacts([rest, playbook('p', { rule: 'A' })])).toEqual({ labels: new Set(), exposure: false });
  const asking = [
    playbook('p', { any: [{ labels: { team: 'a' } }, { not: { privileged: true } }] }),
    playbook('q', { rule: 'A', absent: { of: { rule: 'B', labels: { tier: 'x' }, exposure: 'ingress' }, within: '1m' } }),
  ];
  expect(askedFacts(asking)).toEqual({ labels: new Set(['team', 'tier']), exposure: true });
});

test.each<[unknown, string]>([
  [{ count: { times: 3, within: '10m' } }, 'contains only count'],
  [{ rule: 'A', count: { times: 1, within: '10m' } }, 'count.times has to be a whole number from 2 to 100'],
  [{ rule: 'A', count: { times: 3, within: '10 minutes' } }, "count.within has to be a duration such as '10m', up to 7d"],
  [{ rule: 'A', count: { times: 3, within: '8d' } }, 'up to 7d'],
  [
    { rule: 'A', count: { times: 3, within: '1h', per: 'cow' } },
    'count.per has to be one of pod, workload, node, cluster, account',
  ],
  [{ rule: 'A', not: { rule: 'B', count: { times: 3, within: '1h' } } }, 'counting and waiting are not possible within not'],
  [{ rule: 'A', absent: { of: {}, within: '1h' } }, 'on.match.absent.of is empty'],
  [
    { rule: 'A', absent: { of: { rule: 'B', count: { times: 2, within: '1m' } }, within: '1h' } },
    'on.match.absent.of.count: counting and waiting',
  ],
  [{ rule: 'A', absent: { of: { rule: 'B' }, within: '2d' } }, 'up to 1d'],
  [
    { rule: 'A', count: { times: 2, within: '1m' }, absent: { of: { rule: 'B' }, within: '1m' } },
    'put one of the two into its own match',
  ],
])('%j is refused: %s', (match, why) => {
  expect(problemsOfMatch(match).join('; ')).toContain(why);
});

test('the text of a match says how often, and what is missing', () => {
  expect(matchText(often)).toBe('rule “Read sensitive file”, and 3 times within 10m per workload');
  expect(matchText({ rule: 'A', absent: { of: { rule: 'B' }, within: '1h', per: 'node' } })).toBe(
    'rule “A”, and nothing of rule “B” within 1h after it per node',
  );
});
