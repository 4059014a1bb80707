import { expect, test } from '@jest/globals';
import { defineAction } from '../../../core/action/own-action.ts';
import { deletePod, openTicket, quarantinePod } from '../../../core/actions/index.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import { rightsOf, wideningOf } from '../../../core/playbook/widening.ts';

const close = defineAction({
  name: 'close',
  title: 'Close',
  effect: 'reversible',
  reach: 'pod',
  input: {},
  output: {},
  implementation: 'close.ts',
  verifiedBy: 'Read back.',
  undo: 'Opens it.',
  example: {},
  sample: {},
});
const before: AnyPlaybook = {
  id: 'acme/miner',
  title: 'Cut off a pod that mines',
  on: { match: { rule: 'Detect crypto miners' }, minSeverity: 'high', requires: ['pod'] },
  uses: { quarantinePod },
  params: { lease: { kind: 'duration', default: '4h' } },
  levels: [
    { group: 'oncall', within: '15m' },
    { group: 'leads', within: '1h' },
  ],
  evidenceFirst: '30s',
};
const becomes = (changed: Partial<AnyPlaybook>) => wideningOf([before], [{ ...before, ...changed }]);

test('nothing is wider if only words change, or less is allowed', () => {
  expect(becomes({ title: 'Another title' })).toEqual([]);
  expect(becomes({ uses: {} })).toEqual([]);
  expect(becomes({ on: { ...before.on, minSeverity: 'critical' } })).toEqual([]);
  expect(becomes({ evidenceFirst: '60s' })).toEqual([]);
});

test.each<[string, Partial<AnyPlaybook>, readonly (string | RegExp)[]]>([
  [
    'another action, with the rights that it needs',
    { uses: { quarantinePod, deletePod } },
    [/^the pack needs more rights: .*delete pods/, 'acme/miner may do deletePod (destructive, pod)'],
  ],
  [
    'an action of its own that gets a secret',
    { uses: { quarantinePod, close: { ...close, own: { ...close.own, secrets: ['token'] } } } },
    ['acme/miner may do close (reversible, pod, by the pack itself, gets the secret token)'],
  ],
  ['containment before the body', { contains: 'pod' }, ['acme/miner contains the pod before its body begins']],
  ['an undo that asks nobody', { sagaUndo: 'below-critical' }, ['acme/miner undoes its steps without asking when a part fails']],
  ['a shorter wait for evidence', { evidenceFirst: '5s' }, ['acme/miner waits less for evidence before it contains (5s)']],
  [
    'a lower severity',
    { on: { ...before.on, minSeverity: 'info' } },
    ['acme/miner answers alerts from info up, not only from high up'],
  ],
  ['other alerts', { on: { ...before.on, match: { rule: 'Anything' } } }, ['acme/miner answers other alerts']],
  [
    'another confidence of a rule',
    { rules: { 'Our rule': { confidence: 'weak', why: 'it fires in tests' } } },
    ['acme/miner says how sure rules are: Our rule (weak)'],
  ],
  ['a whole workload', { per: 'workload' }, ['acme/miner runs once per workload, not per pod']],
  ['the last word', { exclusive: true }, ['acme/miner keeps playbooks of lower priority from answering the same alerts']],
  ['less in an alert', { on: { ...before.on, requires: [] } }, ['acme/miner requires less of an alert (nothing)']],
  ['other parameters', { params: {} }, ['acme/miner has different parameters, or different defaults for them']],
  [
    'fewer people',
    { levels: [{ group: 'oncall', within: '15m' }] },
    ['acme/miner asks oncall (15m), not oncall (15m), then leads (1h)'],
  ],
])('%s is wider', (_, changed, said) => {
  expect(becomes(changed)).toEqual(said.map((one) => (typeof one === 'string' ? one : expect.stringMatching(one))));
});

test('an added or removed playbook is named, with what it may do', () => {
  expect(wideningOf([], [before])).toEqual(['acme/miner is new, and may quarantinePod (reversible, pod)']);
  expect(wideningOf([before], [])).toEqual(['acme/miner is gone']);
});

test('rights are listed once each, in whatever order playbooks use actions', () => {
  const other: AnyPlaybook = { ...before, id: 'acme/other', uses: { openTicket, deletePod } };
  expect(rightsOf([before, other])).toEqual(rightsOf([other, before, other]));
});
