import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

function read(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

describe('the pages', () => {
  test.each(pages)('%s links only to what is there', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
    expect(links.filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([]);
  });

  test('docs/dependencies.md names every dependency', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json'));
    const text = read('docs/dependencies.md');
    const missing = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => {
      const [scope, short] = name.split('/');
      return !text.includes(`\`${name}\``) && !(scope === '@temporalio' && text.includes(`\`${short}\``));
    });
    expect(missing).toEqual([]);
  });

  test('the generated ones are up to date', () => {
    const result = spawnSync(process.execPath, [join(root, 'tools/docs/generate.ts'), '--check'], { encoding: 'utf8' });
    expect([result.status, result.stderr]).toEqual([0, '']);
  });

  test('the example in the README is a valid configuration', async () => {
    const { configSchema } = await import('../../service/config/schema.ts');
    const { parse } = await import('yaml');
    const [, block = ''] = /```yaml\n([\s\S]*?)```/.exec(read('README.md')) ?? [];
    expect(configSchema.safeParse(parse(block.replaceAll(/^ {3}/gm, ''))).error).toBeUndefined();
  });
});
