import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
function read(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

describe('the pages', () => {
  test('docs/dependencies.md names every dependency', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json'));
    const text = read('docs/dependencies.md');
    const missing = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => {
      const [scope, short] = name.split('/');
      return !text.includes(`\`${name}\``) && !(scope === '@temporalio' && text.includes(`\`${short}\``));
    });
    expect(missing).toEqual([]);
  });

  test('the example in the quickstart is a valid configuration', async () => {
    const { configSchema } = await import('../../service/config/schema.ts');
    const { parse } = await import('yaml');
    const [, block = ''] = /```yaml\n([\s\S]*?)```/.exec(read('docs/quickstart.md')) ?? [];
    expect(configSchema.safeParse(parse(block.replaceAll(/^ {3}/gm, ''))).error).toBeUndefined();
  });
});
