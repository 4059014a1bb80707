import { expect, test } from '@jest/globals';
import { valuesPage } from '../../../tools/docs/values-page.ts';

const schema = JSON.stringify({
  properties: {
    desk: { properties: { replicas: { type: 'integer', minimum: 1 }, host: { type: 'string' } } },
    env: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
    global: { type: 'object' },
  },
});

test('each value of the chart has its kind from the schema, and its default and its description from values.yaml', () => {
  const page = valuesPage({
    schema,
    values: 'desk:\n  # How many | or more.\n  #   - not this\n  replicas: 1\n  host: ""\n# Of all roles.\nenv: []\nconfig: {}\n',
  });
  expect(page).toContain('| `desk.replicas` | whole number, at least 1 | `1` | How many \\| or more. |');
  expect(page).toContain('| `desk.host` | text |  |  |');
  expect(page).toContain('| `env` | list of maps: name | `[]` | Of all roles. |');
  expect(page).not.toContain('global');
});

test.each([
  ['desk.host: values.yaml has no default', 'desk:\n  replicas: 1\nenv: []\nconfig: {}\n'],
  ['desk.hots: the schema does not know it', 'desk:\n  replicas: 1\n  host: ""\n  hots: ""\nenv: []\nconfig: {}\n'],
])('schema and values.yaml say the same: %s', (words, values) => {
  expect(() => valuesPage({ schema, values })).toThrow(words);
});
