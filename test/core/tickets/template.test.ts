import { describe, expect, test } from '@jest/globals';
import { fillField, fillTemplate, unknownPlaceholders } from '../../../core/tickets/template.ts';
import { templateValues } from '../../../core/tickets/ticket.ts';

const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'r1' };
const values = templateValues({ incident, title: 'a {{body}} title', body: 'the body', severity: 'high' });

describe('a template', () => {
  test('is filled in once: the text of an alert is never a template', () => {
    expect(fillTemplate('[{{severity}}] {{ title }} in {{cluster}}', values)).toBe('[high] a {{body}} title in lab');
    expect(fillTemplate('{{title}}', { ...values, title: '$& $1 {{run}}' })).toBe('$& $1 {{run}}');
  });

  test('names unknown placeholders, wherever they are', () => {
    expect(unknownPlaceholders({ a: ['{{title}} {{titel}}'], b: { c: '{{constructor}}' }, d: 1 })).toEqual([
      'titel',
      'constructor',
    ]);
  });

  test('keeps the shape of a field', () => {
    expect(fillField({ value: '{{workload}}', n: 3, list: ['{{namespace}}', null, true] }, values)).toEqual({
      value: 'deployment/cart',
      n: 3,
      list: ['shop', null, true],
    });
  });

  test('of a node or a cluster has no namespace', () => {
    const node = templateValues({ incident: { id: 'incident/lab/node/n1', run: 'r' }, title: '', body: '' });
    expect([node.cluster, node.namespace, node.workload, node.severity]).toEqual(['lab', '', 'node/n1', '']);
  });
});
