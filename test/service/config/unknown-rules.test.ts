import { expect, test } from '@jest/globals';
import { glob, type Match, regex } from '../../../core/playbook/match.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import { playbooks as shipped } from '../../../playbooks/index.ts';
import { unknownRules, unknownRuleText } from '../../../service/config/unknown-rules.ts';

const asking = (match: Match): readonly AnyPlaybook[] => [
  { id: 'mine', title: 'Mine', on: { match, minSeverity: 'low', requires: [] }, uses: {} },
];

test.each<[Match, readonly string[]]>([
  [{ rule: 'Terminal shell in container' }, []],
  [
    { rule: ['Terminal shel in container', 'Sensor silent'] },
    ['no rule set that Firebreak knows has “Terminal shel in container”: did you mean “Terminal shell in container”?'],
  ],
  [
    { any: [{ rule: 'Nothing like any of them at all' }] },
    ['no rule set that Firebreak knows has “Nothing like any of them at all”: unless it is a rule of your own, it never matches'],
  ],
  [{ rule: glob('Terminal*') }, []],
  [
    { rule: regex('^Terminals') },
    ['no rule set that Firebreak knows has “^Terminals”: unless it is a rule of your own, it never matches'],
  ],
  [{ sensor: 'my-scanner', rule: 'Whatever it says' }, []],
  [{ rule: 'Of ours' }, []],
])('%j: %j', (match, texts) => {
  expect(unknownRules(asking(match), ['Of ours']).map(unknownRuleText)).toEqual(texts);
});

test('the shipped playbooks match no unknown rule', () => {
  expect(unknownRules(shipped)).toEqual([]);
});
