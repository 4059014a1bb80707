import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Alert, AlertNovelty } from '../../../core/alert/alert.ts';
import { ownRules, ownSensor } from '../../../core/alert/own-alerts.ts';
import { mostTableBytes } from '../../../core/novelty/behaviour-table.ts';
import { mostSubjects, NoveltyMemory, type NoveltyOptions, type NoveltyStore } from '../../../core/novelty/novelty.ts';
import { AlertStamps } from '../../../core/playbook/alert-stamps.ts';
import type { Match } from '../../../core/playbook/match.ts';
import { matchAlert } from '../../../core/playbook/match-alert.ts';
import { problemsOfMatch } from '../../../core/playbook/match-problems.ts';
import { matchText } from '../../../core/playbook/match-text.ts';

const hour = 3_600_000;
const day = 24 * hour;
const began = Date.parse('2026-10-01T00:00:00Z');
const times = { learningMs: 2 * day, rolloutMs: 4 * hour };

function alertOf(program = 'nginx', change: Partial<Alert> = {}, workload = 'cart'): Alert {
  return {
    id: '0'.repeat(32),
    sensor: 'falco',
    rule: 'Run shell untrusted',
    severity: 'medium',
    time: '2026-11-27T22:30:00Z',
    title: 'x',
    cluster: 'lab',
    node: 'node-7',
    pod: { namespace: 'shop', name: `${workload}-1`, uid: `uid-${workload}` },
    workload: { kind: 'Deployment', namespace: 'shop', name: workload },
    process: { exe: `/usr/bin/${program}`, parent: 'sh' },
    observables: [],
    tags: [],
    mitre: [],
    ...change,
  };
}

/** What has been stored, as on a disk. */
function storeOf() {
  const entries = new Map<string, { readonly value: Uint8Array; readonly at: number }>();
  const store: NoveltyStore = {
    load: () => [...entries].sort(([, a], [, b]) => a.at - b.at),
    put: (key, entry) => void entries.set(key, entry),
    remove: (key) => void entries.delete(key),
  };
  return { store, entries };
}

/** Listens from the beginning, and knows `nginx` in `cart`, `orders` and `web` after a week; then reports for one alert at a time what is new. */
function listening(options: Partial<NoveltyOptions> = {}) {
  const memory = new NoveltyMemory({ ...times, ...options });
  const take = (alert: Alert, after: number, sender = 'falco'): AlertNovelty | undefined =>
    memory.take(alert, { sender, nowMs: began + after });
  for (const workload of ['cart', 'orders', 'web']) for (const at of [0, 1, 3, 7]) take(alertOf('nginx', {}, workload), at * day);
  return { memory, take };
}

describe('what a workload has not done before', () => {
  test('is novel, and the text says what, where, in how long, and who else does it', () => {
    const { take } = listening({ podsOf: () => 14 });
    expect(take(alertOf('curl'), 35 * day)).toEqual({
      state: 'novel',
      amongPeers: true,
      text: 'First time in 30 days on any of 14 pods that sh runs curl in shop/cart; none of 2 other workloads of its namespace or image do it.',
    });
  });

  test('is learned silently while its sender is new', () => {
    const { take } = listening();
    expect(take(alertOf('curl'), day)).toBeUndefined();
    expect(take(alertOf('curl'), 1.9 * day)).toBeUndefined();
    expect(take(alertOf('curl'), 2 * day)).toBeUndefined();
    expect(take(alertOf('nc'), 2 * day)).toMatchObject({ state: 'novel' });
  });

  test('is reported for no longer than the memory goes back', () => {
    const { take } = listening();
    expect(take(alertOf('curl'), 9 * day)?.text).toContain('First time in 9 days that sh runs curl');
  });

  test('is novel even on the first alert of a workload', () => {
    const { take } = listening();
    expect(take(alertOf('curl', {}, 'pay'), 20 * day)).toMatchObject({ state: 'novel' });
  });

  test('stays novel for the learning time, and is known then', () => {
    const { take } = listening();
    take(alertOf('curl'), 20 * day);
    expect(take(alertOf('curl'), 20 * day + hour)?.text).toContain('New since 2026-10-21 00:00 UTC: sh runs curl in shop/cart');
    expect(take(alertOf('curl'), 21.9 * day)).toMatchObject({ state: 'novel' });
    expect(take(alertOf('curl'), 22 * day)).toBeUndefined();
  });

  test('is new again after thirty days without it', () => {
    const { take } = listening();
    expect(take(alertOf('nginx'), 36.9 * day)).toBeUndefined();
    expect(take(alertOf('nginx'), 67 * day)).toMatchObject({ state: 'novel' });
  });

  test('is learned even if it drifts slowly, but each further step is novel', () => {
    const { take } = listening();
    for (let step = 0; step < 50; step += 1) {
      const program = `tool${String.fromCharCode(97 + (step % 26))}${step < 26 ? '' : 'x'}`;
      expect(take(alertOf(program), (10 + 3 * step) * day)?.state).toBe('novel');
      expect(take(alertOf(program), (12 + 3 * step) * day)).toBeUndefined();
    }
  });

  test.each<[string, Partial<Alert>, string]>([
    ['a rule', { rule: 'Another rule' }, '“Another rule” is seen'],
    ['a destination', { observables: [{ type: 'ip', value: '203.0.113.7' }] }, '203.0.113.0/24 is mentioned'],
    ['a parent process', { process: { exe: '/usr/bin/nginx', parent: 'java' } }, 'java runs nginx'],
  ])('may be %s', (_, change, said) => {
    const { take } = listening();
    expect(take(alertOf('nginx', change), 10 * day)?.text).toContain(said);
  });

  test('is not one more network if the workload is known to use many, as with a CDN', () => {
    const { take } = listening();
    const to = (network: number): Partial<Alert> => ({ observables: [{ type: 'ip', value: `203.0.${network}.7` }] });
    for (const at of [8, 11]) for (let network = 0; network < 15; network += 1) take(alertOf('nginx', to(network)), at * day);
    expect(take(alertOf('nginx', to(15)), 12 * day)).toMatchObject({ state: 'novel' });
    expect(take(alertOf('nginx', to(15)), 15 * day)).toBeUndefined();
    expect(take(alertOf('nginx', to(16)), 15 * day)).toBeUndefined();
    // The program that runs is still new.
    expect(take(alertOf('curl', to(17)), 15 * day)?.text).toContain('sh runs curl');
  });

  test('may be two known things that were never seen together', () => {
    const { take } = listening();
    const other = { rule: 'Read sensitive file' };
    take(alertOf('curl'), 10 * day);
    take(alertOf('nginx', other), 10 * day);
    take(alertOf('curl'), 13 * day);
    take(alertOf('nginx', other), 13 * day);
    expect(take(alertOf('curl', other), 14 * day)?.text).toContain(
      '“Read sensitive file” is seen when sh runs curl in shop/cart',
    );
  });

  test('is not new among its peers if one of them is known to do it', () => {
    const { take } = listening();
    for (const at of [10, 13]) take(alertOf('curl', {}, 'orders'), at * day);
    const found = take(alertOf('curl'), 14 * day);
    expect(found).toMatchObject({ state: 'novel' });
    expect(found?.amongPeers).toBeUndefined();
    expect(found?.text).toContain('1 of 2 other workloads of its namespace or image do it');
  });

  test('is compared with workloads of other namespaces that run the same image', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const { take } = listening({ imageOf: () => ({ digest, since: began - day }) });
    const pod = { namespace: 'other', name: 'pay-1', uid: 'uid-pay' };
    const workload = { kind: 'Deployment', namespace: 'other', name: 'pay' };
    for (const at of [10, 13]) take(alertOf('curl', { pod, workload }), at * day);
    expect(take(alertOf('curl'), 14 * day)?.text).toContain('1 of 3 other workloads of its namespace or image do it');
  });

  test('is new among its peers if they began only recently, as in a spreading attack', () => {
    const { take } = listening();
    take(alertOf('curl', {}, 'orders'), 14 * day);
    expect(take(alertOf('curl'), 14 * day + hour)).toMatchObject({ amongPeers: true });
  });
});

describe('the rollout of a new image', () => {
  const digest = (name: string): string => `sha256:${name.repeat(64).slice(0, 64)}`;

  function rolling() {
    let image = { digest: digest('a'), since: began - day };
    const { take, memory } = listening({ imageOf: () => image });
    return {
      take,
      memory,
      rollOut: (name: string, after: number): void => {
        image = { digest: digest(name), since: began + after };
      },
    };
  }

  test('opens a learning time, which is reported; what is seen in it is known afterwards', () => {
    const { take, rollOut } = rolling();
    rollOut('b', 20 * day);
    expect(take(alertOf('curl'), 20 * day + hour)).toEqual({
      state: 'learning',
      text: 'New with its image, which was rolled out recently: sh runs curl in shop/cart; new behaviour is learned until 2026-10-21 04:00 UTC.',
    });
    expect(take(alertOf('curl'), 20 * day + 4 * hour)).toBeUndefined();
    expect(take(alertOf('nc'), 20 * day + 4 * hour)).toMatchObject({ state: 'novel' });
  });

  test('opens none for what was novel before it, so that a rollout cannot hide it', () => {
    const { take, rollOut } = rolling();
    take(alertOf('curl'), 20 * day);
    rollOut('b', 20 * day + hour);
    expect(take(alertOf('curl'), 20 * day + 2 * hour)).toMatchObject({ state: 'novel' });
  });

  test('opens none for an image that ran here before, nor for one that was rolled out long ago', () => {
    const { take, rollOut } = rolling();
    rollOut('b', 10 * day);
    take(alertOf(), 10 * day);
    rollOut('b', 20 * day);
    expect(take(alertOf('curl'), 20 * day + hour)).toMatchObject({ state: 'novel' });
    rollOut('c', 12 * day);
    expect(take(alertOf('nc'), 20 * day + hour)).toMatchObject({ state: 'novel' });
  });

  test('affects only its own workload: the others learn nothing', () => {
    const { take, rollOut } = rolling();
    rollOut('b', 20 * day);
    take(alertOf('curl'), 20 * day + hour);
    expect(take(alertOf('curl', {}, 'web'), 30 * day)).toMatchObject({ state: 'novel' });
  });
});

describe('a sender of alerts', () => {
  test('teaches nothing about another sender’s alerts', () => {
    const { take } = listening();
    for (const at of [0, 1, 3, 7, 10]) take(alertOf('curl'), at * day, 'stolen');
    expect(take(alertOf('curl'), 11 * day)).toMatchObject({ state: 'novel' });
  });

  test('teaches nothing with alerts in doubt, of unknown pods, or from a person’s order', () => {
    const { take } = listening();
    const { pod, workload } = alertOf();
    const unsure: readonly Partial<Alert>[] = [
      { doubt: 'the sender sees another node' },
      { pod: { namespace: 'shop', name: 'cart-1' } },
      { ...(pod && { pod }), ...(workload && { workload: { ...workload, guessed: true } }) },
      { sensor: ownSensor, rule: ownRules.quarantine },
    ];
    for (const change of unsure) for (const at of [10, 13]) expect(take(alertOf('curl', change), at * day)).toBeUndefined();
    expect(take(alertOf('curl'), 14 * day)).toMatchObject({ state: 'novel' });
  });

  test('fills only its own share, and what is evicted for that is new again', () => {
    const { take, memory } = listening();
    for (let at = 0; at < mostSubjects + 500; at += 1) take(alertOf('x', {}, `w${at}`), 10 * day, 'flood');
    const before = memory.size;
    expect(before.subjects).toBe(mostSubjects + 3);
    expect(take(alertOf('nginx'), 11 * day)).toBeUndefined();
    const filled = Array.from({ length: 2_000 }, (_, at) => `p${at.toString(36).replaceAll(/\d/g, 'z')}q${'y'.repeat(at % 40)}`);
    for (const program of filled) take(alertOf(program), 12 * day);
    expect(memory.size.bytes - before.bytes).toBeLessThanOrEqual(mostTableBytes);
    const found = take(alertOf('nginx'), 12 * day + hour);
    expect(found).toMatchObject({ state: 'novel' });
    // It may be known from before: it claims no more than it remembers.
    expect(found?.text).toContain('First time in an hour');
  });

  test('does not keep the long texts of its alerts in memory', () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const memory = new NoveltyMemory(times);
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let nth = 0; nth < 200; nth += 1) {
      const name = [...String(nth)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
      const long = { exe: `/x/${name}/${'y'.repeat(300_000)}/${name}-is-the-program`, parent: 'sh' };
      // As they arrive: each a separate text.
      const { pod: _, workload: __, ...host } = alertOf('nginx', { process: long, node: `${'n'.repeat(100_000)}${name}` });
      const alert: Alert = JSON.parse(JSON.stringify(host));
      memory.take(alert, { sender: 'falco', nowMs: began });
      const found = memory.take({ ...alert, rule: name }, { sender: 'falco', nowMs: began + 3 * day });
      expect(found?.text.length).toBeLessThan(1_000);
    }
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
  });

  test('teaches only what its alerts contain', () => {
    const word = fc.stringMatching(/^[a-z]{3,8}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(word, fc.integer({ min: 0, max: 30 })), { maxLength: 60 }), (sent) => {
        const memory = new NoveltyMemory(times);
        memory.take(alertOf('first'), { sender: 'falco', nowMs: began });
        for (const [program, after] of [...sent].sort(([, a], [, b]) => a - b))
          memory.take(alertOf(program), { sender: 'falco', nowMs: began + after * day });
        const found = memory.take(alertOf('neversent'), { sender: 'falco', nowMs: began + 31 * day });
        return found?.state === 'novel';
      }),
      { numRuns: 200 },
    );
  });
});

describe('after a restart', () => {
  test('it knows what it knew, and still counts from when it began', () => {
    const { store } = storeOf();
    const { memory } = listening({ kept: store });
    memory.flush(began + 7 * day);
    const next = new NoveltyMemory({ ...times, kept: store });
    const take = (program: string) => next.take(alertOf(program), { sender: 'falco', nowMs: began + 9 * day });
    expect(take('nginx')).toBeUndefined();
    expect(take('curl')?.text).toContain('First time in 9 days');
    expect(next.size).toEqual({ ...memory.size, bytes: expect.any(Number) });
  });

  test('data of another version, or damaged data, is learned again', () => {
    const { store, entries } = storeOf();
    const { memory } = listening({ kept: store });
    memory.flush(began + 7 * day);
    for (const [key, { value, at }] of entries) {
      const other = value.slice();
      other[0] = 99;
      if (key.includes('\n')) entries.set(key, { value: key.length % 2 === 0 ? other : value.slice(0, 7), at });
    }
    const next = new NoveltyMemory({ ...times, kept: store });
    expect(next.size.subjects).toBe(0);
    expect([...entries.keys()]).toEqual(['falco']);
    expect(next.take(alertOf('nginx'), { sender: 'falco', nowMs: began + 8 * day })).toMatchObject({ state: 'novel' });
  });

  test('a storm causes few writes: one per subject, and none while nothing changes', () => {
    const { store } = storeOf();
    let written = 0;
    const put: NoveltyStore['put'] = (...entry) => {
      written += 1;
      store.put(...entry);
    };
    const { memory, take } = listening({ kept: { ...store, put } });
    memory.flush(began);
    expect(written).toBe(4);
    for (let at = 0; at < 1_000; at += 1) take(alertOf('curl'), 10 * day + at);
    memory.flush(began + 10 * day);
    for (let at = 0; at < 1_000; at += 1) take(alertOf('curl'), 10 * day + hour + at);
    memory.flush(began + 10 * day + 2 * hour);
    expect(written).toBe(5);
  });
});

describe('a match on novelty', () => {
  const novel = (facts: Alert['facts']): Alert => alertOf('curl', facts ? { facts } : {});
  const ofWorkload: Match = { novel: true };
  const ofPeers: Match = { novel: 'among-peers' };
  const known: readonly [AlertNovelty | undefined, boolean | undefined, boolean | undefined][] = [
    [{ state: 'novel', amongPeers: true, text: '' }, true, true],
    [{ state: 'novel', text: '' }, true, false],
    [{ state: 'learning', text: '' }, undefined, undefined],
    [undefined, undefined, undefined],
  ];

  test.each(known)('answers %j with %s, and among peers with %s', (novelty, own, peers) => {
    const alert = novel(novelty && { novelty });
    expect([matchAlert(ofWorkload, alert), matchAlert(ofPeers, alert)]).toEqual([own, peers]);
  });

  test('calls its playbook in addition to the others, which run as before', () => {
    const playbook = (id: string, match: Match) =>
      ({ id, title: id, on: { match, minSeverity: 'low', requires: [] }, uses: {} }) as const;
    const stamps = new AlertStamps({
      playbooks: [playbook('all', { rule: 'Run shell untrusted' }), playbook('new', ofWorkload)],
    });
    expect(stamps.stamp(novel({ novelty: { state: 'novel', text: '' } }), 0).calls).toEqual(['all', 'new']);
    expect(stamps.stamp(novel(undefined), 0).calls).toEqual(['all']);
  });

  test('cannot require that something is not novel: that would weaken the response to an alert', () => {
    expect(problemsOfMatch({ novel: false }).join()).toContain('has to be true or');
    expect(problemsOfMatch({ rule: 'x', not: { novel: true } }).join()).toContain('only raise');
    expect(problemsOfMatch({ rule: 'x', not: { any: [{ novel: true }] } }).join()).toContain('only raise');
    expect(problemsOfMatch({ rule: 'x', absent: { of: { novel: true }, within: '1h' } }).join()).toContain('only raise');
    expect(problemsOfMatch(ofPeers)).toEqual([]);
  });

  test('is described in words', () => {
    expect(matchText({ severity: 'high', ...ofPeers })).toBe('severity “high”, and novel among its peers');
  });
});
