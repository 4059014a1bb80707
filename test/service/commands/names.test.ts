import { expect, test } from '@jest/globals';
import { namesWithIds, personNames } from '../../../service/incidents/names.ts';
import { roster } from '../../workflows/people.ts';

const known = {
  ...roster,
  people: roster.people.map((one) => (one.id === 'ana' ? { ...one, name: 'Ana Lopez', slackIds: ['U0ANA'] } : one)),
};

test('the command line calls people by name and id; whom the roster has lost keeps the id', () => {
  const { person, actor } = namesWithIds(known);
  expect(['ana', 'gone'].map(person)).toEqual(['Ana Lopez (ana)', 'gone']);
  expect(
    [
      'person/ana,person/gone',
      'slack/U0ANA',
      'slack/U0STRANGER',
      'playbook/firebreak/ask-about-shell',
      'engine',
      'person/a/b',
    ].map(actor),
  ).toEqual([
    'Ana Lopez (ana), gone',
    'Ana Lopez (ana)',
    'slack/U0STRANGER',
    'playbook/firebreak/ask-about-shell',
    'engine',
    'a/b',
  ]);
});

test('a name that two people have under one id is nobody’s', () => {
  const twice = { ...known, people: [...known.people, { id: 'ana', name: 'Another', slackIds: [], keys: [] }] };
  expect(namesWithIds(twice).person('ana')).toBe('ana');
});

test('in Slack and on the pages people are called by name alone, as on the cards', () => {
  expect(['ana', 'gone'].map(personNames(known))).toEqual(['Ana Lopez', 'gone']);
});
