import { describe, expect, test } from '@jest/globals';
import type { Plan } from '../../../core/action/plan.ts';
import { actOf, labelFor, labelOf, labelOfPlans } from '../../../core/cards/choice-label.ts';

function planOf(action: string, changes: Partial<Plan> = {}): Plan {
  const name = 'pod/shop/cart-x2x8k';
  return {
    action,
    effect: 'destructive',
    reach: 'pod',
    target: { name },
    changes: [{ target: name, what: 'is changed' }],
    blastRadius: [name],
    notes: [],
    inputDigest: 'd',
    ...changes,
  };
}

const nothing = { changes: [], notes: ['Nothing is rotated.'] };

describe('the label of a choice', () => {
  test.each([
    [[planOf('deletePod')], 'Delete pod'],
    [[planOf('rotateSecret'), planOf('deletePod')], 'Rotate secrets and delete pod'],
    [[planOf('rotateSecret', nothing), planOf('deletePod')], 'Delete pod; no secret can be rotated'],
    [[planOf('rotateSecret', { except: ['secret/shop/a'] }), planOf('deletePod')], 'Rotate secrets (1 cannot be) and delete pod'],
    [[planOf('rotateSecret', nothing)], 'Change nothing; no secret can be rotated'],
    [[planOf('undo:quarantinePod')], 'Release pod'],
    [[planOf('undo:cordonNode')], 'Uncordon node'],
    [[planOf('undo:myOwnAction')], 'Undo “my own action”'],
    [[planOf('myOwnAction')], 'My own action'],
    [[planOf('drainNode', { changes: [] }), planOf('cordonNode')], 'Cordon node; “drain node” changes nothing'],
    [[planOf('deletePod'), planOf('deletePod'), planOf('evictPod')], 'Delete pod (2 times) and evict pod'],
    [[planOf('waive-evidence')], 'Go on without evidence'],
  ] satisfies readonly (readonly [readonly Plan[], string])[])('%#: says what its plans do and do not do', (plans, label) => {
    expect(labelOfPlans(plans)).toBe(label);
    expect(label.length).toBeLessThanOrEqual(75);
  });

  test('starts with yes or no if the playbook’s label does, and takes no other words from it', () => {
    const plans = [planOf('rotateSecret', nothing), planOf('deletePod')];
    expect(labelFor('No, rotate its secrets and delete it', plans)).toBe('No: delete pod; no secret can be rotated');
    expect(labelFor('Yes', plans)).toBe('Yes: delete pod; no secret can be rotated');
    expect(labelFor('It is harmless', plans)).toBe('Delete pod; no secret can be rotated');
    expect(labelFor('Nonsense', plans)).toBe('Delete pod; no secret can be rotated');
  });

  test('is the playbook’s own if nothing runs', () => {
    expect(labelFor('Yes, expected', [])).toBe('Yes, expected');
  });

  test('follows the plans, whatever label is in the question', () => {
    const plans = [planOf('deletePod')];
    expect(labelOf({ label: 'No: delete pod', plans })).toBe('No: delete pod');
    expect(labelOf({ label: 'Harmless test', plans })).toBe('Delete pod');
    expect(labelOf({ label: 'Leave it', plans: [] })).toBe('Leave it');
  });
});

describe('the button that sends an answer', () => {
  test.each([
    [{ label: 'Yes: release pod', actions: ['undo:quarantinePod'] }, 'Release pod'],
    [{ label: 'No: rotate secrets and delete pod', actions: ['rotateSecret', 'deletePod'] }, 'Delete pod'],
    [{ label: 'Yes, expected', actions: [] }, 'Yes, expected'],
    [{ label: 'No, I shall look at it tomorrow', actions: [] }, 'No, I shall look at it t'],
  ])('%#: is named after the act, and the last act of several counts', (choice, text) => {
    expect(actOf(choice, 24)).toBe(text);
  });
});
