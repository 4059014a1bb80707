import { describe, expect, test } from '@jest/globals';
import { daysText, periodNamed, periodsDue, type ReportInterval } from '../../../core/compliance/period.ts';

const names = (every: ReportInterval, reported: readonly string[], now: string): readonly string[] =>
  periodsDue(every, new Set(reported), Date.parse(now)).map(({ name }) => name);

describe('a period', () => {
  test.each([
    ['2026', '2026-01-01', '2027-01-01'],
    ['2026-Q4', '2026-10-01', '2027-01-01'],
    ['2024-02', '2024-02-01', '2024-03-01'],
    ['2026-11-01..2026-11-15', '2026-11-01', '2026-11-16'],
  ])('%s covers its days in UTC', (name, since, until) => {
    expect(periodNamed(name)).toEqual({ name, since: Date.parse(since), until: Date.parse(until) });
  });

  test.each([
    ...['', '26', '2026-13', '2026-Q5', '2026-11-15..2026-11-01', '2026-02-30..x', 'last month'],
    // Dates that do not exist, and one for which nothing is on record.
    ...['2026-02-30..2026-03-05', '2026-02-01..2026-02-29', '0000', '0026-Q1', '1969'],
  ])('%j is not valid', (name) => {
    expect(periodNamed(name)).toBeUndefined();
  });
});

test('the text of a period names its last day, not the day after', () => {
  const since = '2026-07-01T00:00:00.000Z';
  expect(daysText({ since, until: '2026-10-01T00:00:00.000Z' })).toBe('2026-07-01 to 2026-09-30');
  expect(daysText({ since, until: '2026-07-14T09:30:00.000Z' })).toBe('2026-07-01 to 2026-07-14');
  expect(daysText({ since, until: since })).toBe('2026-07-01 to 2026-07-01');
});

describe('of a report is due', () => {
  test.each<[ReportInterval, string, string]>([
    ['week', '2026-11-27T12:00:00Z', '2026-11-16..2026-11-22'],
    ['week', '2027-01-04T02:00:00Z', '2026-12-28..2027-01-03'],
    ['month', '2027-01-15T00:00:00Z', '2026-12'],
    ['quarter', '2026-11-27T12:00:00Z', '2026-Q3'],
    ['quarter', '2027-02-01T00:00:00Z', '2026-Q4'],
    ['year', '2026-11-27T12:00:00Z', '2025'],
  ])('for the last full %s at first', (every, now, name) => {
    expect(names(every, [], now)).toEqual([name]);
  });

  test('only an hour after it ends, for records that are still on their way', () => {
    expect(names('month', ['2026-10'], '2026-12-01T00:59:59Z')).toEqual([]);
    expect(names('month', ['2026-10'], '2026-12-01T01:00:00Z')).toEqual(['2026-11']);
  });

  test('for each missed one, oldest first, a dozen at most', () => {
    expect(names('month', ['2026-07', '2026-06'], '2026-11-27T00:00:00Z')).toEqual(['2026-08', '2026-09', '2026-10']);
    expect(names('month', ['2024-01'], '2026-11-27T00:00:00Z')).toHaveLength(12);
  });
});
