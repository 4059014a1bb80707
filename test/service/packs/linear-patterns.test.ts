import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { isBounded } from '../../../service/packs/turns/linear-patterns.ts';
import { bundleWorkflows } from '../../../service/temporal/bundle/engine-bundle.ts';

describe('a regular expression of a playbook', () => {
  test.each([/^(a+)+$/, /^\s*(?<name>[\w-]+?)\s*$/gm, /curl|wget/i, /a{2,8}.*/s, /(?<=x)a+/])('%s may be used', (pattern) => {
    expect(isBounded({ pattern: pattern.source, flags: pattern.flags })).toBe(true);
  });

  test.each([/^(a+)+$/i, /^(a+)+$/u, /(?=a)(a+)+$/, /(a+)\1/, /(a{1,40}){1,40}/])('%s may not: nothing bounds it', (pattern) => {
    expect(isBounded({ pattern: pattern.source, flags: pattern.flags })).toBe(false);
  });

  test('that nothing bounds is refused when the workflows are built, with file and line', async () => {
    const built = bundleWorkflows({
      workflowsPath: join(import.meta.dirname, '../../playbooks/unbounded-pattern.ts'),
      outFile: join(tmpdir(), `firebreak-unbounded-${process.pid}.js`),
    });
    await expect(built).rejects.toThrow('playbooks/unbounded-pattern.ts:8: /^(\\w+\\s?)+$/i may run forever');
  });
});
