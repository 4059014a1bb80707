import { describe, expect, test } from '@jest/globals';
import { openTicket } from '../../../core/actions/index.ts';
import { ownRules, ownSensor } from '../../../core/alert/own-alerts.ts';
import { answering } from '../../../core/playbook/answering.ts';
import { param } from '../../../core/playbook/params.ts';
import { type AnyPlaybook, definePlaybook } from '../../../core/playbook/playbook.ts';
import { dueLast, dueNext, type RunSchedule, type Times } from '../../../core/playbook/schedule.ts';
import {
  DueRuns,
  isScheduled,
  type LastRun,
  type LastRuns,
  nextRunOf,
  scheduledAlert,
  targetOf,
} from '../../../core/playbook/scheduled-runs.ts';

const at = (text: string): number => Date.parse(text);
const text = (moment: number | undefined): string | undefined =>
  moment === undefined ? undefined : new Date(moment).toISOString();
const next = (times: Times, from: string) => text(dueNext(times, at(from)));
const last = (times: Times, from: string) => text(dueLast(times, at(from)));

function scheduled(schedule: RunSchedule, id = 'rotate') {
  const playbook: AnyPlaybook = definePlaybook(
    {
      id,
      title: 'Rotate',
      on: { schedule, minSeverity: 'low', requires: [] },
      params: { namespace: param.text(''), name: param.text('') },
      uses: { openTicket },
    },
    async () => undefined,
  );
  if (!isScheduled(playbook)) throw new Error('it is scheduled');
  return playbook;
}

describe('a line of cron', () => {
  test('is due by the wall clock of its time zone, in summer and winter', () => {
    const monday = { cron: '0 9 * * mon', timeZone: 'Europe/Berlin' };
    expect(next(monday, '2026-03-24T00:00:00Z')).toBe('2026-03-30T07:00:00.000Z');
    expect(last(monday, '2026-03-24T00:00:00Z')).toBe('2026-03-23T08:00:00.000Z');
    expect(next(monday, '2026-03-30T07:00:00Z')).toBe('2026-04-06T07:00:00.000Z');
    expect(last(monday, '2026-03-30T07:00:00Z')).toBe('2026-03-30T07:00:00.000Z');
  });

  test('is due an hour later if the clock skips it, and only once if it occurs twice', () => {
    const night = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
    expect(next(night, '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:30:00.000Z');
    expect(next(night, '2026-10-24T12:00:00Z')).toBe('2026-10-25T00:30:00.000Z');
    expect(next(night, '2026-10-25T00:30:00Z')).toBe('2026-10-26T01:30:00.000Z');
  });

  test('can have lists, ranges, steps and names', () => {
    const times = { cron: '*/20 8-9 1,15 jan,jul *', timeZone: 'UTC' };
    expect(next(times, '2026-01-01T08:20:00Z')).toBe('2026-01-01T08:40:00.000Z');
    expect(next(times, '2026-01-15T09:40:00Z')).toBe('2026-07-01T08:00:00.000Z');
    expect(next({ cron: '0 0 29 2 *', timeZone: 'UTC' }, '2026-01-01T00:00:00Z')).toBe('2028-02-29T00:00:00.000Z');
    expect(next({ cron: '0 0 * * 7', timeZone: 'UTC' }, '2026-01-01T00:00:00Z')).toBe('2026-01-04T00:00:00.000Z');
    expect(next({ cron: '0 0 31 2 *', timeZone: 'UTC' }, '2026-01-01T00:00:00Z')).toBeUndefined();
  });
});

test('equal intervals are counted from 1970, so that everybody gets the same times', () => {
  expect(next({ every: '6h' }, '2026-01-01T05:59:59Z')).toBe('2026-01-01T06:00:00.000Z');
  expect(last({ every: '6h' }, '2026-01-01T06:00:00Z')).toBe('2026-01-01T06:00:00.000Z');
  expect(next({ every: '6h' }, '2026-01-01T06:00:00Z')).toBe('2026-01-01T12:00:00.000Z');
});

test.each<[string, unknown, string]>([
  ['with neither kind of time', {}, 'set either every or cron'],
  ['with both kinds of time', { every: '1d', cron: '0 0 * * *', timeZone: 'UTC' }, 'set either every or cron'],
  ['too often', { every: '30s' }, 'every cannot be "30s": write a duration from 1m to 366d'],
  ['in words', { every: 'monthly' }, 'every cannot be "monthly": write a duration from 1m to 366d'],
  ['without a time zone', { cron: '0 0 * * *' }, 'a cron line needs a timeZone such as Europe/Berlin'],
  ['of four fields', { cron: '0 0 * *', timeZone: 'UTC' }, 'is not a cron line: write five fields, such as 0 9 * * mon'],
  ['of a 25th hour', { cron: '0 25 * * *', timeZone: 'UTC' }, '“25” is not a valid hour: write *, a number from 0 to 23'],
  ['with two kinds of day', { cron: '0 0 1 * mon', timeZone: 'UTC' }, 'write * for one'],
  ['about an unknown parameter', { every: '1d', about: { namespace: 'where' } }, 'about names where, which is not a parameter'],
])('a schedule %s is refused, with what to write', (_what, schedule, message) => {
  expect(() => scheduled(schedule as RunSchedule)).toThrow(message);
});

test('a scheduled playbook answers only its own due time, which nothing else answers', () => {
  const [mine, other] = [scheduled({ every: '1d' }), scheduled({ every: '1d' }, 'other')];
  const wide: AnyPlaybook = {
    id: 'wide',
    title: 'wide',
    on: { match: { rule: ownRules.schedule }, minSeverity: 'info', requires: [] },
    uses: {},
  };
  const rest: AnyPlaybook = { ...wide, id: 'rest', on: { ...wide.on, match: 'unanswered' } };
  const due = scheduledAlert({ playbook: mine, cluster: 'lab', target: { kind: 'cluster' }, due: 0 });
  expect(due).toMatchObject({ sensor: ownSensor, rule: ownRules.schedule, severity: 'low' });
  const ids = (alert = due) => answering([wide, mine, other, rest], alert).map(({ id }) => id);
  expect(ids()).toEqual(['rotate']);
  expect(ids({ ...due, sensor: 'falco' })).not.toContain('rotate');
  const { scheduledFor: _, ...unsaid } = due;
  expect(ids(unsaid)).not.toContain('rotate');
  expect(ids({ ...due, rule: ownRules.silentSensor })).not.toContain('rotate');
});

test('a scheduled playbook that also answers alerts is refused', () => {
  const on = { schedule: { every: '1d' }, match: { rule: 'Any' }, minSeverity: 'low', requires: [] } as const;
  expect(() => definePlaybook({ id: 'a', title: 'a', on, uses: {} }, async () => undefined)).toThrow('remove match');
});

describe('a target', () => {
  const secret = scheduled({ every: '1d', about: { kind: 'Secret', namespace: 'namespace', name: 'name' } });

  test('is named by parameters, and does not exist while one of them is empty', () => {
    expect(targetOf(secret)).toBeUndefined();
    expect(targetOf(secret, { namespace: 'shop' })).toBeUndefined();
    expect(targetOf(secret, { namespace: 'shop', name: 'db' })).toEqual({
      kind: 'workload',
      workload: { kind: 'Secret', namespace: 'shop', name: 'db' },
    });
    expect(targetOf(scheduled({ every: '1d', about: { namespace: 'namespace' } }), { namespace: 'shop' })).toEqual({
      kind: 'workload',
      workload: { kind: 'Namespace', namespace: 'shop', name: 'shop' },
    });
    expect(targetOf(scheduled({ every: '1d' }))).toEqual({ kind: 'cluster' });
  });

  test('is needed for a next run', () => {
    const now = at('2026-01-01T05:00:00Z');
    expect(nextRunOf(secret, {}, now)).toEqual({ playbook: 'rotate', times: 'every 1d', next: null });
    expect(nextRunOf(secret, { namespace: 'shop', name: 'db' }, now).next).toBe('2026-01-02T00:00:00.000Z');
  });
});

describe('what is due', () => {
  const kept = (): LastRuns & { readonly all: Map<string, LastRun> } => {
    const all = new Map<string, LastRun>();
    return {
      all,
      keys: () => [...all.keys()],
      get: (key) => all.get(key),
      put: (key, run) => void all.set(key, run),
      remove: (key) => void all.delete(key),
    };
  };
  const daily = scheduled({ every: '1d' });
  const began = at('2026-01-01T12:00:00Z');
  const runs = (memory: LastRuns, now = began, playbooks: readonly AnyPlaybook[] = [daily]) =>
    new DueRuns({ playbooks, params: {}, kept: memory, now });

  test('excludes times before the playbook existed, and includes each time once', () => {
    const due = runs(kept());
    expect(due.at(at('2026-01-01T23:59:59Z'))).toEqual([]);
    const [run] = due.at(at('2026-01-02T00:00:01Z'));
    expect(run).toMatchObject({ due: at('2026-01-02T00:00:00Z') });
    if (run) due.ran(run);
    expect(due.at(at('2026-01-02T00:00:02Z'))).toEqual([]);
    expect(due.at(at('2026-01-02T23:00:00Z'))).toEqual([]);
    expect(due.at(at('2026-01-03T00:00:00Z'))).toHaveLength(1);
  });

  test('is the same after a restart, and does not repeat if the clock was set back', () => {
    const memory = kept();
    const [run] = runs(memory).at(at('2026-01-02T00:00:01Z'));
    if (run) runs(memory).ran(run);
    expect(runs(memory, at('2026-01-02T00:10:00Z')).at(at('2026-01-02T00:10:00Z'))).toEqual([]);
    expect(runs(memory).at(at('2026-01-01T12:30:00Z'))).toEqual([]);
  });

  test('is caught up once within some hours, and counts as missed after that', () => {
    const due = runs(kept());
    expect(due.at(at('2026-01-04T05:00:00Z'))).toMatchObject([{ due: at('2026-01-04T00:00:00Z') }]);
    expect(due.at(at('2026-01-04T07:00:00Z'))).toMatchObject([{ due: at('2026-01-04T00:00:00Z'), missed: true }]);
  });

  test('is forgotten with its playbook, and starts afresh once it is enabled again', () => {
    const memory = kept();
    runs(memory);
    runs(memory, began, []);
    expect(memory.keys()).toEqual([]);
    expect(runs(memory, at('2026-01-03T01:00:00Z')).at(at('2026-01-03T01:00:00Z'))).toEqual([]);
  });
});
