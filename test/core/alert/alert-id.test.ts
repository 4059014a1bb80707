import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { alertIdOf } from '../../../core/alert/alert-id.ts';

/** The definition of the id when the first ones were written to ledgers: it may never change. */
function defined(identity: { sensor: string; rule: string; time: string; host?: string; fields: unknown }): string {
  const { sensor, rule, time, host, fields } = identity;
  const text = JSON.stringify([sensor, rule, time, host ?? null, stable(fields)].map(stable));
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function stable(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') {
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) return 'beyond';
    return Number.isFinite(value) ? value : 'beyond';
  }
  if (Array.isArray(value)) return value.map(stable);
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.entries(value)
    .filter(([, field]) => field !== null && field !== undefined)
    .map(([key, field]) => [key.toWellFormed(), stable(field)] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

const text = fc.string({ unit: fc.nat({ max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
const key = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '10', '9', '', '\ud800', '\ud801', '\ufffd'));
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.double(),
    fc.integer(),
    fc.constantFrom(null, undefined, true, false, -0, 2 ** 53, -(2 ** 53), 2 ** 53 - 1, 1e21, 1e-7),
    fc.array(tie('value')),
    fc.array(fc.tuple(key, tie('value'))).map((pairs) => Object.fromEntries(pairs)),
  ),
}));

describe('the id of an alert', () => {
  test('matches its original definition, whatever the fields', () => {
    const identity = fc.record(
      { sensor: text, rule: text, time: text, host: text, fields: value },
      { requiredKeys: ['fields', 'sensor', 'rule', 'time'] },
    );
    fc.assert(
      fc.property(identity, (given) => expect(alertIdOf(given)).toBe(defined(given))),
      { numRuns: 2_000 },
    );
  });

  test('does not depend on the order of keys, on absent fields or on rounded numbers', () => {
    const of = (fields: unknown): string => alertIdOf({ sensor: 's', rule: 'r', time: 't', fields });
    expect(of({ b: 1, a: { d: 2, c: [null] } })).toBe(of({ a: { c: [undefined], d: 2 }, b: 1, e: null }));
    expect(of({ a: 2 ** 53 })).toBe(of({ a: 2 ** 53 + 2 }));
    expect(of({ a: 1 })).not.toBe(of({ a: '1' }));
  });

  test('ignores fields that carry no information', () => {
    const of = (fields: unknown): string => alertIdOf({ sensor: 's', rule: 'r', time: 't', fields });
    const without = (name: string, field: unknown): boolean => name === 'at' || field === '';
    const fields = { at: 1, b: '', c: { at: 2 } };
    expect(alertIdOf({ sensor: 's', rule: 'r', time: 't', fields, without })).toBe(of({ c: { at: 2 } }));
  });
});
