import { expect, test } from '@jest/globals';
import { definePlaybook } from '../../../core/playbook/playbook.ts';

const on = { match: { rule: 'Shell' }, minSeverity: 'high', requires: ['pod'] } as const;
const envelope = { id: 'miner', title: 'Cut off a pod that mines', on, uses: {} } as const;

test.each([
  [
    'a severity that there is not',
    { on: { ...on, minSeverity: 'severe' } },
    'minSeverity is “severe”: write critical, high, medium, low, info or unknown',
  ],
  ['a title of blanks', { title: '  ' }, 'its title is empty'],
  ['a title that is too long', { title: 'x'.repeat(10_000) }, 'its title has 10000 characters: use at most 200'],
  [
    'a title that steers a terminal',
    { title: 'Cut \u001b[2J off' },
    'its title contains invisible characters: “Cut \\u{1b}[2J off”',
  ],
  ['a title with reversed text', { title: 'Cut \u202e off' }, 'its title contains invisible characters: “Cut \\u{202e} off”'],
  ['a title of two lines', { title: 'Cut\noff' }, 'its title contains invisible characters: “Cut\\u{a}off”'],
  ['a group without a name', { levels: [{ group: ' ', within: '15m' }] }, 'levels.0.group is empty: write a group of the roster'],
  [
    'a time in words',
    { levels: [{ group: 'oncall', within: '15 minutes' }] },
    'levels.0.within is “15 minutes”: write a time such as 15m',
  ],
  [
    'no time to answer',
    { levels: [{ group: 'oncall', within: '0m' }] },
    'levels.0.within is “0m”: it has to be longer than zero',
  ],
  ['a priority that is not a number', { priority: Number.NaN }, 'its priority has to be a number'],
  [
    'a rule that is fairly sure',
    { rules: { 'Our rule': { confidence: 'fairly', why: 'we wrote it' } } },
    'rules “Our rule”: confidence is “fairly”: write sure, likely, weak',
  ],
  [
    'a rule that is sure without a reason',
    { rules: { 'Our rule': { confidence: 'sure', why: ' ' } } },
    'rules “Our rule”: why: give the reason that people will read, in one line of at most 200 characters',
  ],
  ['no alerts to answer', { on: undefined }, 'it does not define which alerts it is for: write on: {'],
])('a playbook with %s is refused, and says what to write', (_, wrong, says) => {
  expect(() => definePlaybook({ ...envelope, ...wrong } as never, async () => {})).toThrow(`playbook miner: ${says}`);
});

test('a playbook whose body is not a function is refused', () => {
  expect(() => definePlaybook(envelope, 'the body' as never)).toThrow(
    'playbook miner: its body is not a function: write async (',
  );
});
