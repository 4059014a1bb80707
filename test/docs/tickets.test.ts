import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { placeholders } from '../../core/tickets/template.ts';

test('the page about tickets lists every placeholder, and no others', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/tickets.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `\{\{(\w+)\}\}` +\| (.+?) +\|$/gm)].map(([, name, meaning]) => [name, meaning]);
  expect(Object.fromEntries(rows)).toEqual(placeholders);
});
