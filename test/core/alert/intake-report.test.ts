import { describe, expect, test } from '@jest/globals';
import {
  type IntakeReport,
  isIntakeReport,
  newlyRefused,
  sensorStates,
  withIntakeReport,
} from '../../../core/alert/intake-report.ts';

const at = (minute: number): string => new Date(Date.UTC(2026, 5, 1, 10, minute)).toISOString();

const stranger = {
  ...{ from: '10.0.0.7', count: 1, reason: 'a token is needed' },
  ...{ since: '2026-06-01T10:00:00.000Z', lastAt: '2026-06-01T10:00:00.000Z' },
};
function report(over: Partial<IntakeReport> = {}): IntakeReport {
  return {
    source: 'one',
    at: at(10),
    since: at(0),
    accepted: 5,
    duplicates: 1,
    refused: { rate_limit: 2 },
    hidden: {},
    sensors: [{ sensor: 'falco', alerts: 5, drops: 1, droppedAt: at(8), heardAt: at(9), lacks: [] }],
    watched: [{ sensor: 'falco', nodes: 3, silent: 1, longest: [{ node: 'n1', since: at(4) }] }],
    open: { count: 1, worst: [{ incident: 'incident/lab/cluster', severity: 'high' }] },
    ...over,
  };
}

const open = { incident: 'incident/lab/cluster', severity: 'high' } as const;

describe('a report of an intake', () => {
  test('is accepted as an intake makes it', () => {
    expect(isIntakeReport(report())).toBe(true);
    expect(isIntakeReport(report({ sensors: [], watched: [], refused: {} }))).toBe(true);
    expect(isIntakeReport(report({ unauthorized: [stranger, { ...stranger, sensor: 'falco' }] }))).toBe(true);
    const named = {
      incident: 'incident/lab/cluster',
      severity: 'high',
      rules: ['A rule'],
      started: { run: 'r', at: at(3) },
    } as const;
    expect(isIntakeReport(report({ open: { count: 300, worst: [named], newest: [named] } }))).toBe(true);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['a text', 'report'],
    ['an invalid time', { ...report(), at: 'soon' }],
    ['a negative count', { ...report(), accepted: -1 }],
    ['strangers without end', { ...report(), unauthorized: Array.from({ length: 6 }, () => stranger) }],
    ['a stranger with a time that is none', { ...report(), unauthorized: [{ ...stranger, since: 'now' }] }],
    ['a count that is a text', { ...report(), refused: { rate_limit: '2' } }],
    ['a sensor without a name', { ...report(), sensors: [{ alerts: 1, drops: 0, heardAt: at(1), lacks: [] }] }],
    ['an incident without an id', { ...report(), open: { count: 1, worst: [{ severity: 'high' }] } }],
    ['an incident with invalid rules', { ...report(), open: { count: 1, worst: [{ ...open, rules: [1] }] } }],
    [
      'an incident with an invalid start time',
      { ...report(), open: { count: 2, worst: [open], newest: [{ ...open, started: { run: 'r', at: 'once' } }] } },
    ],
    [
      'more new incidents than allowed',
      { ...report(), open: { count: 500, worst: [open], newest: Array.from({ length: 101 }, () => open) } },
    ],
    ['a node without a time', { ...report(), watched: [{ sensor: 'falco', nodes: 1, silent: 1, longest: [{ node: 'n1' }] }] }],
    ['more sensors than allowed', { ...report(), sensors: Array.from({ length: 31 }, () => report().sensors[0]) }],
    ['an oversized report', { ...report(), hidden: Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`s-${n}`, n])) }],
  ])('cannot be %s', (_, value) => {
    expect(isIntakeReport(value)).toBe(false);
  });

  test('names refusals at the first of each reason, at ten times as many, and again after a restart', () => {
    const refused = (count: number, over: Partial<IntakeReport> = {}) => report({ refused: { unauthorized: count }, ...over });
    const known = [refused(3)];
    expect(newlyRefused([], refused(3))).toEqual({ unauthorized: 3 });
    expect(newlyRefused(known, refused(9, { at: at(11) }))).toEqual({});
    expect(newlyRefused(known, refused(10, { at: at(11) }))).toEqual({ unauthorized: 10 });
    expect(newlyRefused(known, refused(10))).toEqual({});
    expect(newlyRefused(known, refused(2, { at: at(11), since: at(10) }))).toEqual({ unauthorized: 2 });
    expect(newlyRefused(known, report({ refused: {}, at: at(11) }))).toEqual({});
  });

  test('replaces the previous one; an older one changes nothing', () => {
    const first = withIntakeReport([], report());
    const later = withIntakeReport(first, report({ at: at(12), accepted: 9 }));
    expect(later).toMatchObject([{ accepted: 9 }]);
    expect(withIntakeReport(later, report({ at: at(11), accepted: 7 }))).toBe(later);
    expect(withIntakeReport(later, report({ source: 'two', at: at(13) })).map(({ source }) => source)).toEqual(['two', 'one']);
  });

  test('evicts the one heard from longest ago once there are eight', () => {
    const many = Array.from({ length: 9 }, (_, n) => report({ source: `s${n}`, at: at(n) })).reduce(withIntakeReport, [
      report({ source: 'oldest', at: at(0).replace('10:00', '09:00') }),
    ]);
    expect(many.map(({ source }) => source)).toEqual(['s8', 's7', 's6', 's5', 's4', 's3', 's2', 's1']);
  });
});

describe('a sensor seen by several intakes', () => {
  test('is silent on a node if none of them hears it, and has dropped what it reported to any of them', () => {
    const other = report({
      source: 'two',
      sensors: [{ sensor: 'falco', alerts: 1, drops: 2, droppedAt: at(3), heardAt: at(7), lacks: ['the content of configmaps'] }],
      watched: [{ sensor: 'falco', nodes: 3, silent: 0, longest: [] }],
    });
    expect(sensorStates([report(), other])).toEqual([
      {
        sensor: 'falco',
        drops: 3,
        droppedAt: at(8),
        heardAt: at(9),
        lacks: ['the content of configmaps'],
        watched: { nodes: 3, silent: 0, longest: [] },
      },
    ]);
  });

  test('is listed even if nobody has heard from it, and is not called watched if it is not', () => {
    const never = report({ sensors: [], watched: [{ sensor: 'tetragon', nodes: 2, silent: 2, longest: [] }] });
    expect(sensorStates([never])).toMatchObject([{ sensor: 'tetragon', heardAt: null, drops: 0, watched: { silent: 2 } }]);
    expect(sensorStates([report({ watched: [] })])).toMatchObject([{ sensor: 'falco', watched: null }]);
  });
});
