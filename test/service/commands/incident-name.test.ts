import { expect, test } from '@jest/globals';
import { meantBy } from '../../../service/commands/incidents/meant-incident.ts';

const known = ['shop/Deployment/cart', 'shop/StatefulSet/till', 'pay/Deployment/cart', 'node/worker-1'];

test.each([
  ['cart', ['shop/Deployment/cart', 'pay/Deployment/cart']],
  ['shop/Deployment/Cart', ['shop/Deployment/cart', 'pay/Deployment/cart']],
  ['till-0', ['shop/StatefulSet/till']],
  ['shop/cart-7d9f-x2x8k', ['shop/Deployment/cart', 'pay/Deployment/cart']],
  ['tlil', ['shop/StatefulSet/till']],
  ['worker-2', ['node/worker-1']],
  ['shop/Deployment/none', []],
  ['', []],
])('%j may mean %j', (written, meant) => {
  expect(meantBy(written, known)).toEqual(meant);
});
