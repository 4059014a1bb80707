import { expect, test } from '@jest/globals';
import { namesWithIds, personNames } from '../../../service/incidents/names.ts';
import { roster } from '../../workflows/people.ts';

const known = {
  ...roster,
  people: roster.people.map((one) => (one.id === 'ana' ? { ...one, name: 'Ana Lopez', slackIds: ['U0ANA'] } : one)),
};

test('the command line shows people by name and id; anyone no longer on the roster keeps the id', () => {
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

test('a name is not shown if two people have the same id', () => {
  const twice = { ...known, people: [...known.people, { id: 'ana', name: 'Another', slackIds: [], keys: [] }] };
  expect(namesWithIds(twice).person('ana')).toBe('ana');
});

test('Slack and the pages show people by name only, as the cards do', () => {
  expect(['ana', 'gone'].map(personNames(known))).toEqual(['Ana Lopez', 'gone']);
});
