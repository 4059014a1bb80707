import { describe, expect, test } from '@jest/globals';
import { signedOrderSchema } from '../../../core/orders/order.schema.ts';
import { checkOrder } from '../../../core/orders/order-check.ts';
import { type RemoveContent, removalId } from '../../../core/orders/record-hold.ts';
import { beliefsAt, signedOrder } from '../../workflows/control/control-harness.ts';

const now = Date.parse('2026-03-01T10:00:00.000Z');
const chain = 'incident/lab/shop/Deployment/cart@1';

function order({ id, ...over }: Partial<RemoveContent> & { readonly id?: string } = {}): RemoveContent {
  const what = { chain: over.chain ?? chain, records: over.records ?? [3, 7] };
  const given = { person: 'ana', at: new Date(now).toISOString(), cluster: 'lab', reason: 'erasure request 17' };
  return { version: 1, kind: 'records.remove', ...given, removal: id ?? removalId(what), ...what, ...over };
}

describe('an order to remove what records say', () => {
  const checked = (given: RemoveContent, by: 'lea' | 'eve') =>
    checkOrder(signedOrder(given, by), { ...beliefsAt(now), stewards: ['leads'] });

  test.each([
    ['an incident of this cluster', {}],
    ['records written by a desk', { chain: 'desk/main' }],
  ])('is followed for %s', (_, over) => {
    expect(checked(order({ person: 'lea', ...over }), 'lea')).toMatchObject({ ok: true });
    expect(signedOrderSchema.safeParse(signedOrder(order(over), 'lea')).success).toBe(true);
  });

  test.each<readonly [string, Parameters<typeof order>[0]]>([
    ['of another cluster', { chain: 'incident/other/shop/Deployment/cart@1' }],
    ['of orders', { chain: 'control/lab@1' }],
    ['of cuts', { chain: 'desk/all/retention' }],
    ['twice', { records: [3, 3] }],
    ['under another order’s id', { id: '0123456789abcdef' }],
  ])('is refused for records %s', (_, over) => {
    expect(checked(order({ person: 'lea', ...over }), 'lea')).toMatchObject({ ok: false });
  });

  test('is refused if its person is no steward, if somebody else signed it, or if there are no stewards', () => {
    expect(checked(order({ person: 'eve' }), 'eve')).toMatchObject({ ok: false });
    expect(checked(order({ person: 'lea' }), 'eve')).toMatchObject({ ok: false });
    expect(checkOrder(signedOrder(order({ person: 'lea' }), 'lea'), beliefsAt(now))).toMatchObject({ ok: false });
  });
});
