import { describe, expect, test } from '@jest/globals';
import { type Duration, durationMs, isDuration } from '../../../core/playbook/duration.ts';
import { type Param, param, problemOfParam, valuesOf } from '../../../core/playbook/params.ts';
import { definePlaybook } from '../../../core/playbook/playbook.ts';

describe('a parameter of a playbook', () => {
  test.each<[Param, unknown, string | undefined]>([
    [param.duration('4h'), '30m', undefined],
    [param.duration('4h'), '4 hours', 'write a duration such as 30s, 15m, 4h or 2d'],
    [param.duration('4h'), '-4h', 'write a duration such as 30s, 15m, 4h or 2d'],
    [param.number(1, { min: 0, max: 3 }), 3, undefined],
    [param.number(1, { min: 0, max: 3 }), 4, 'write a number of at most 3'],
    [param.number(1), Number.NaN, 'write a number'],
    [param.group('oncall'), '', 'write a group of the roster'],
    [param.text('x', { longest: 2 }), 'xyz', 'write a text of at most 2 characters'],
    [param.namespace('shop'), 'Shop!', 'write the name of a namespace'],
    [param.namespaces(['shop']), ['shop', 'bank'], undefined],
    [param.namespaces(['shop']), 'shop', 'write a list of names of namespaces'],
    [param.flag(true), 'yes', 'write true or false'],
    [param.choice(['a', 'b'], 'a'), 'c', 'write one of a, b'],
  ])('%j accepts %j or says what to write', (of, value, problem) => {
    expect(problemOfParam(of, value)).toBe(problem);
  });

  test('has its default if nothing is set, or if the value is invalid', () => {
    const params = { lease: param.duration('4h'), times: param.number(2, { max: 5 }), toString: param.text('own') };
    expect(valuesOf(params)).toEqual({ lease: '4h', times: 2, toString: 'own' });
    expect(valuesOf(params, { lease: '1h', times: 99, unknown: 1 })).toEqual({ lease: '1h', times: 2, toString: 'own' });
  });

  test('must have a valid default, or the playbook cannot be defined', () => {
    const on = { match: { rule: 'r' }, minSeverity: 'low', requires: [] } as const;
    expect(() =>
      definePlaybook({ id: 'p', title: 'P', on, uses: {}, params: { times: param.number(9, { max: 5 }) } }, async () => {}),
    ).toThrow('playbook p: the default of parameter times: write a number of at most 5');
  });
});

test.each([
  ['30s', 30_000],
  ['1.5h', 5_400_000],
  ['2d', 172_800_000],
] as const)('%s is a duration', (text, ms) => {
  expect(isDuration(text) && durationMs(text)).toBe(ms);
});

test.each(['4 hours', '-4h', '4', 'h', ''])('“%s” is not a duration, and the error says what to write', (text) => {
  expect(isDuration(text)).toBe(false);
  expect(() => durationMs(text as Duration)).toThrow('write 30s, 15m, 4h or 2d');
});
