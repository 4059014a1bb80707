import { expect, test } from '@jest/globals';
import { actions } from '../../../core/actions/index.ts';
import { actionInputs } from '../../../core/actions/inputs.schema.ts';
import { fieldsOf } from '../../../service/commands/action-fields.ts';

test('the reference has the input of every action, and each example is one', () => {
  expect(Object.keys(actionInputs).sort()).toEqual(actions.map(({ name }) => name).sort());
  for (const { name, example } of actions) expect(actionInputs[name]?.safeParse(example)).toMatchObject({ success: true });
});

test('what may be left out, or is not an object of the alert, is explained', () => {
  const plain = [
    'pod',
    'workload',
    'node',
    'namespace',
    'cronJob',
    'deployment',
    'serviceAccount',
    'title',
    'body',
    'labels',
    'process',
  ];
  const unexplained = actions.flatMap(({ name }) =>
    fieldsOf({ name }).flatMap(({ field, required, description }) =>
      description === '' && !(required && plain.includes(field)) ? [`${name}.${field}`] : [],
    ),
  );
  expect(unexplained).toEqual([]);
});

test('a field says what it is', () => {
  expect(fieldsOf({ name: 'rotateSecret' })).toEqual([
    expect.objectContaining({ field: 'suspect', kind: 'namespace, name, uid', required: true }),
    expect.objectContaining({ field: 'secrets', kind: 'list of texts', required: false }),
    expect.objectContaining({ field: 'revokeFirst', kind: 'yes or no', required: false }),
  ]);
  expect(fieldsOf({ name: 'isolateNamespace' }).map(({ field }) => field)).toContain('allow.dns');
});
