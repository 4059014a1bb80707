import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
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

  test('name only files that exist, in words and in links', () => {
    const pages = [
      ...['README.md', 'SECURITY.md', 'CONTRIBUTING.md'],
      ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.md'))
        .map((file) => join('docs', file)),
    ];
    const rooms = readdirSync(root, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
    const missing = pages.flatMap((page) => {
      const text = read(page);
      // `core/actions/ROOM/NAME.ts` stands for many.
      const named = [...text.matchAll(/`([a-z]+)(\/[\w./-]+\.\w+)`/g)].flatMap(([, room = '', rest = '']) =>
        rooms.includes(room) && !/[A-Z]{4}/.test(rest) ? [`${room}${rest}`] : [],
      );
      const linked = [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(([, path = '']) => join(dirname(page), path));
      return [...named, ...linked].filter((path) => !existsSync(join(root, path))).map((path) => `${page}: ${path}`);
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
