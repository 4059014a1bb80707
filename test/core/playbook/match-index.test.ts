import { describe, expect, test } from '@jest/globals';
import { type Arbitrary, array, assert, constantFrom, integer, oneof, option, property, record, tuple } from 'fast-check';
import { glob, type Match, regex } from '../../../core/playbook/match.ts';
import { type MatchedAlert, matchAlert } from '../../../core/playbook/match-alert.ts';
import { MatchIndex } from '../../../core/playbook/match-index.ts';

// Few values, so that they coincide.
const words = ['one', 'two', 'three'] as const;
const word = constantFrom(...words);
const pattern = oneof(word, constantFrom(glob('t*'), glob('*'), regex('^o|e$'), regex('TWO', { ignoreCase: true })));
const patterns = oneof(pattern, array(pattern, { minLength: 1, maxLength: 2 }));
const severity = constantFrom('critical', 'low', 'unknown');
const maybe = { requiredKeys: [] };
const fields: Arbitrary<Match> = record<Match, never>(
  {
    rule: patterns,
    sensor: patterns,
    severity: oneof(severity, array(severity, { minLength: 1, maxLength: 2 })),
    priority: patterns,
    tag: patterns,
    technique: constantFrom('T1059', 'T1059.004'),
    namespace: patterns,
    node: patterns,
    place: constantFrom('pod', 'node', 'workload'),
    workload: record({ kind: patterns, name: patterns }, maybe),
    image: record({ registry: patterns, repository: patterns, tag: patterns, digest: patterns }, maybe),
    process: record({ name: patterns, path: patterns, arguments: patterns, parent: patterns, user: patterns }, maybe),
    privileged: constantFrom(true, false),
  } as never,
  maybe as never,
);

/** Of fields that alone would leave nothing, few at once; two levels of others within it. */
function combined(within: Arbitrary<Match>): Arbitrary<Match> {
  const few = tuple(fields, integer({ min: 0, max: 15 }), integer({ min: 0, max: 15 })).map(([match, first, second]) =>
    Object.fromEntries(Object.entries(match).filter((_, at) => at === first || at === second)),
  );
  const some = array(within, { minLength: 1, maxLength: 2 });
  const others = record({ any: some, all: some, not: within }, maybe).map((all) =>
    Object.fromEntries(Object.entries(all).slice(0, 1)),
  );
  return tuple(few, others).map(([own, other]) => ({ ...own, ...other }));
}
const inner = fields.map((match): Match => {
  const { rule, sensor, namespace, severity: bad } = match;
  return { ...(rule && { rule }), ...(sensor && { sensor }), ...(namespace && { namespace }), ...(bad && { severity: bad }) };
});
const anyMatch = combined(combined(inner));
const anyAlert = record(
  {
    rule: word,
    sensor: word,
    severity,
    priority: word,
    cluster: word,
    tags: array(word, { maxLength: 2 }),
    mitre: array(constantFrom('T1059.001', 'T1059.004'), { maxLength: 1 }),
    node: word,
    pod: record({ namespace: word, name: word }),
    workload: record({
      kind: word,
      namespace: word,
      name: word,
      guessed: option(constantFrom(true as const), { nil: undefined }),
    }),
    container: record({ image: constantFrom('one', 'two.example/three:one', 'three'), digest: word }, maybe),
    process: record({ name: word, exe: word, commandLine: word, parent: word, user: word }, maybe),
    facts: record({ privileged: constantFrom(true, false) }, maybe),
  },
  maybe,
);

describe('an index of matches', () => {
  test('finds those that an alert matches, whatever came before', () => {
    const somePairs = property(
      array(anyMatch, { maxLength: 12 }),
      array(anyAlert, { minLength: 1, maxLength: 12 }),
      (all, alerts) => {
        const index = new MatchIndex<Match>();
        for (const match of all) index.add(match, match);
        const holds = (alert: object) => (match: Match) => matchAlert(match, alert as MatchedAlert) === true;
        const found = alerts.map((alert) => index.of(alert as MatchedAlert));
        expect(found).toEqual(alerts.map((alert) => all.filter(holds(alert))));
      },
    );
    assert(somePairs, { numRuns: 500 });
  });

  test('checks few of many: those of the alert’s rule, namespace and command line', () => {
    const index = new MatchIndex<string>();
    for (let at = 0; at < 100; at += 1) {
      index.add(`rule ${at}`, { rule: `Rule ${at}` });
      index.add(`one way ${at}`, { any: [{ rule: `Other ${at}` }, { severity: 'critical', sensor: 'tetragon' }] });
      index.add(`namespace ${at}`, { namespace: `team-${at}`, severity: 'high' });
      index.add(`arguments ${at}`, { process: { arguments: regex(`\\bminer${at}\\b`) } });
    }
    const alert = { rule: 'Rule 7', sensor: 'falco', severity: 'high', pod: { namespace: 'team-8', name: 'a' } } as const;
    expect(index.of({ ...alert, process: { commandLine: 'miner9 --pool' } })).toEqual(['rule 7', 'namespace 8', 'arguments 9']);
    expect(index.of(alert)).toEqual(['rule 7', 'namespace 8']);
    expect(index.asked(alert)).toBe(2);
  });

  test('stays bounded whatever texts come, and includes matches added later', () => {
    const index = new MatchIndex<number>();
    for (let at = 0; at < 20; at += 1) index.add(at, { process: { arguments: regex(`\\bminer${at}\\b`) } });
    const found = Array.from({ length: 10_000 }, (_, at) =>
      index.of({ rule: `Rule ${at % 3_000}`, process: { commandLine: `miner${at % 20} ${at}${'x'.repeat(at % 400)}` } }),
    );
    expect(found).toEqual(Array.from({ length: 10_000 }, (_, at) => [at % 20]));
    expect(index.size).toBeLessThanOrEqual(2_010);
    index.add(20, { rule: 'Rule 1' });
    expect(index.of({ rule: 'Rule 1', process: { commandLine: 'miner3' } })).toEqual([3, 20]);
  });
});
