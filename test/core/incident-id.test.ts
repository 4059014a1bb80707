import { expect, test } from '@jest/globals';
import { fullIncidentId, incidentIdOf, type Subject, shortIncidentId, subjectTitle } from '../../core/incident/incident.ts';

const cart: Subject = { kind: 'workload', cluster: 'lab', namespace: 'shop', ownerKind: 'StatefulSet', name: 'cart' };
const id = incidentIdOf(cart);

test.each([
  ['whole', id],
  ['short', shortIncidentId(id, 'lab')],
  ['as the title on a card has it', subjectTitle(cart)],
  ['in small letters', 'shop/statefulset/cart'],
  ['by a telephone that begins with a capital', 'Statefulset/shop/cart'],
])('an incident is found by its id, typed %s', (_how, typed) => {
  expect(fullIncidentId(typed, 'lab')).toBe(id);
});

test('ids of another shape, or with two possible meanings, stay as they were typed', () => {
  for (const typed of [
    'node/worker-1',
    'cluster',
    'cart',
    'shop/Rollout/cart',
    'rollout/shop/cart',
    'job/deployment/x',
    'a/b/c/d',
    '',
  ])
    expect(fullIncidentId(typed, 'lab')).toBe(`incident/lab/${typed}`);
  expect(fullIncidentId('incident/other/deployment/shop/x', 'lab')).toBe('incident/other/deployment/shop/x');
  // A namespace with the same name as a kind.
  const odd: Subject = { ...cart, namespace: 'job' };
  expect(fullIncidentId(shortIncidentId(incidentIdOf(odd), 'lab'), 'lab')).toBe(incidentIdOf(odd));
});
