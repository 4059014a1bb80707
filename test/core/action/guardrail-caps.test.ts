import { expect, test } from '@jest/globals';
import { checkGuardrails, defaultGuardrails } from '../../../core/action/guardrail.ts';
import { quarantinePod } from '../../../core/actions/containment/quarantine-pod.ts';

const plan = {
  action: 'quarantinePod',
  effect: 'reversible',
  reach: 'pod',
  inputDigest: '',
  target: { name: 'pod/shop/cart-1' },
  summary: '',
  changes: [],
  blastRadius: [],
  notes: [],
} as const;

function refusal(contained: { owner?: number; namespace?: number; cluster?: number }, rules = {}): string {
  const answer = checkGuardrails(
    { ...defaultGuardrails, ...rules },
    {
      declaration: quarantinePod,
      plan,
      assessed: true,
      approved: false,
      doubt: undefined,
      ownerReplicas: 3,
      held: false,
      ownerContained: contained.owner ?? 0,
      namespaceContained: contained.namespace ?? 0,
      clusterContained: contained.cluster ?? 0,
    },
  );
  return answer.ok ? 'allowed' : answer.reason;
}

test('the reason of a full cap counts one pod and many', () => {
  expect(refusal({})).toBe('allowed');
  expect(refusal({ owner: 1 })).toBe(
    '1 of the 3 pods of its owner is already contained, and no more than 1 is contained without people',
  );
  expect(refusal({ owner: 2 }, { ownerShare: 0.7 })).toBe(
    '2 of the 3 pods of its owner are already contained, and no more than 2 are contained without people',
  );
  expect(refusal({ namespace: 1 }, { namespaceCap: 1, cells: 2 })).toBe(
    '1 pod of its namespace is already contained, or may be by another cell, and no more than 1 is contained without people',
  );
  expect(refusal({ namespace: 3, cluster: 100 })).toBe(
    '100 pods of the cluster are already contained, and no more than 100 are contained without people',
  );
});
