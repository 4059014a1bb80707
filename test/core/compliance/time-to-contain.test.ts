import { expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { Measures } from '../../../core/compliance/measures.ts';

const chain = 'incident/c/shop/Deployment/cart@run-1';
const record = (number: number, second: number, kind: string, body: AuditRecord['body']): AuditRecord => ({
  ...{ chain, number, kind, actor: 'engine', body },
  at: new Date(Date.parse('2026-03-01T14:00:00.000Z') + second * 1_000).toISOString(),
});
const alerts = (severity: string) => ({ counts: [{ rule: 'a rule', severity, count: 1 }], alerts: [{ severity }] });
const quarantine = { action: 'quarantinePod', step: 's1', output: null };

function timesOf(records: readonly AuditRecord[]): readonly number[] | undefined {
  const measures = new Measures();
  for (const one of records) measures.add(one);
  return measures.counted().counters.get('time-to-contain')?.times;
}

test('the time to contain counts from the alert that made the incident as bad as it was', () => {
  expect(
    timesOf([
      record(1, 0, 'incident.opened', alerts('low')),
      record(2, 900, 'alert.joined', alerts('critical')),
      record(3, 901, 'alert.joined', alerts('low')),
      record(4, 902, 'step.applied', quarantine),
      record(5, 1_800, 'alert.joined', alerts('critical')),
      record(6, 1_900, 'step.applied', { ...quarantine, step: 's2' }),
    ]),
  ).toEqual([2]);
});

test('it counts from the opening if nothing worse came, and not at all if the opening is not in the period', () => {
  expect(timesOf([record(1, 0, 'incident.opened', alerts('critical')), record(2, 3, 'step.applied', quarantine)])).toEqual([3]);
  expect(timesOf([record(7, 0, 'alert.joined', alerts('critical')), record(8, 3, 'step.applied', quarantine)])).toBeUndefined();
});
