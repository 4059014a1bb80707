import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { isObservedRelease, observedForMs, type Plan } from '../../../core/action/plan.ts';
import { isReleaseOf, releasePlanOf } from '../../../core/action/release-plan.ts';
import { isWeakening, needsReason, quorumOf } from '../../../core/decide/approval.ts';
import { digestOf } from '../../../core/text/digest.ts';
import { ContainedPods } from '../../../service/cell/contained-pods.ts';

const input = { pod: { namespace: 'shop', name: 'cart-1' } };
const quarantine: Plan = {
  action: 'quarantinePod',
  effect: 'reversible',
  reach: 'pod',
  target: { name: 'pod/shop/cart-1', uid: 'u1' },
  changes: [],
  blastRadius: ['pod/shop/cart-1'],
  notes: [],
  inputDigest: digestOf(input),
};
const step = { action: 'quarantinePod', input, key: 'k' };
const forGood = releasePlanOf(quarantine, 'k');
const observed = releasePlanOf(quarantine, 'k', true);

describe('a release under observation', () => {
  test('takes one person on a critical incident, and a reason; for good it takes two', () => {
    expect(quorumOf({ plans: [observed], severity: 'critical' })).toBe(1);
    expect(quorumOf({ plans: [forGood], severity: 'critical' })).toBe(2);
    expect(needsReason({ plans: [observed] }) && isWeakening({ plans: [observed] })).toBe(true);
  });

  test('counts no less in a protected namespace, beside something else, or if it is called harmless', () => {
    expect(quorumOf({ plans: [observed], severity: 'critical', protectedNamespaces: ['shop'] })).toBe(2);
    expect(quorumOf({ plans: [observed, forGood], severity: 'critical' })).toBe(2);
    expect(quorumOf({ plans: [observed], severity: 'critical', harmless: true })).toBe(2);
  });

  test('is only of a pod: nothing else becomes easier by the mark', () => {
    const marked = { ...releasePlanOf({ ...quarantine, action: 'isolateNamespace' }, 'k'), observed: true as const };
    expect(isObservedRelease(marked)).toBe(false);
    expect(quorumOf({ plans: [marked], severity: 'critical' })).toBe(2);
    expect(isReleaseOf(marked, { ...step, action: 'isolateNamespace' })).toBe(false);
  });

  test('is another plan than the release for good: an approval of one is none of the other', () => {
    expect(isReleaseOf(observed, step) && isReleaseOf(forGood, step)).toBe(true);
    expect(digestOf(observed)).not.toBe(digestOf(forGood));
    const { observed: _, ...unmarked } = observed;
    expect(isReleaseOf(unmarked, step)).toBe(false);
    expect(isReleaseOf({ ...forGood, observed: true }, step)).toBe(false);
  });
});

describe('the cell’s memory of a released pod', () => {
  test('says for a day, also after a restart, that it is observed, and until it is contained again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-observed-'));
    const held = { pod: 'shop/cart-1', note: 'n', takenAt: 1, runs: {}, restarts: {} };
    const first = new ContainedPods(folder);
    await first.hold('u1', 'incident', held);
    await first.letGo('u1', { by: ['ada'], observed: true });
    await first.close();
    const second = new ContainedPods(folder);
    expect(second.observed('u1')).toMatchObject({ by: ['ada'] });
    expect(second.get('u1')?.decided).toBeUndefined();
    expect(second.observed('u1', Date.now() + observedForMs + 1)).toBeUndefined();
    await second.hold('u1', 'incident', held);
    expect(second.observed('u1')).toBeUndefined();
    await second.letGo('u1', { by: ['ada', 'ben'] });
    expect(second.observed('u1')).toBeUndefined();
    expect(second.get('u1')?.decided).toMatchObject({ by: ['ada', 'ben'] });
    await second.close();
    rmSync(folder, { recursive: true });
  });
});
