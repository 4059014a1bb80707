import { expect, test } from '@jest/globals';
import { filledChoice } from '../../../core/cards/guarded-choice.ts';
import { field } from '../../../core/decide/form.ts';

const card = { incident: { title: 'deployment/shop/cart' } };
const choice = {
  id: 'remove',
  label: 'Remove the firewall',
  quorum: 1,
  destructive: true,
  weakens: false,
  target: 'firewall/R&D',
  changes: [],
  blastRadius: [],
  notes: [],
  form: { hours: field.number('For how many hours?', { min: 1, max: 72 }) },
};
const typed = (target: string, reason: string, hours: string) => ({ target, reason, field: () => hours });

test('each wrong field gets its own message, with the target’s name unescaped', () => {
  expect(filledChoice(typed('x', '', '100'), card, choice)).toEqual({
    ok: false,
    problems: [
      { field: 'target', text: 'These are not the last four characters of R&D.' },
      { field: 'form.hours', text: expect.stringContaining('72') },
      { field: 'reason', text: 'Give a reason in a few words.' },
    ],
  });
});

test('correct input is accepted, whatever its capitals', () => {
  expect(filledChoice(typed('r&D', 'it is compromised', '4'), card, choice)).toEqual({
    ok: true,
    reason: 'it is compromised',
    answers: { hours: 4 },
  });
});
