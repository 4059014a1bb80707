import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { anchorsOf, linksOf, readPages, sitePage, slugOf } from '../../tools/site/pages.ts';
import { kinds, sectionsOf } from '../../tools/site/sidebar.ts';
import { terminalPicture } from '../../tools/site/terminal-picture.ts';

const root = resolve(import.meta.dirname, '../..');
const pages = readPages();
const names = pages.map(({ name }) => name);
const readme = { name: 'README.md', file: 'README.md', text: readFileSync(join(root, 'README.md'), 'utf8') };

describe('the site of the documentation', () => {
  test('has every page in its sidebar, once', () => {
    expect(
      sectionsOf(names)
        .flatMap(({ pages: placed }) => placed)
        .toSorted(),
    ).toEqual(names.toSorted());
  });

  test('has a page that nobody has placed under More', () => {
    const last = sectionsOf([...names, 'new.md']).at(-1);
    expect(last?.title).toBe('More');
    expect(last?.pages).toContain('new.md');
  });

  test('has no place for a page that is not there', () => {
    const places = kinds.flatMap(({ sections }) => sections.flatMap(({ pages: placed }) => placed));
    expect(
      places.filter((place) => !names.some((name) => (place.endsWith('/') ? name.startsWith(place) : name === place))),
    ).toEqual([]);
  });

  test('shows what is no page of it as a link into the repository, or as words where none is named', () => {
    const page = {
      name: 'a/b.md',
      file: 'docs/a/b.md',
      text: '[the code](../../core/errors.ts), [more](../errors.md#codes), ![card](../images/slack-menu.png)',
    };
    const files = new Set(['docs/errors.md']);
    expect(sitePage({ page, files, repository: undefined })).toBe(
      'the code, [more](../errors.md#codes), ![card](../images/slack-menu.png)',
    );
    expect(sitePage({ page, files, repository: 'https://forge.example/firebreak' })).toContain(
      '[the code](https://forge.example/firebreak/blob/main/core/errors.ts)',
    );
  });

  test('has a folder’s own page where a link leads to the folder', () => {
    const page = { name: 'index.md', file: 'docs/index.md', text: '[Sensors](sensors), [words](../SECURITY.md)' };
    expect(sitePage({ page, files: new Set(['docs/sensors/README.md', 'SECURITY.md']), repository: undefined })).toBe(
      '[Sensors](./sensors/index.md), [words](./SECURITY.md)',
    );
  });

  test('names anchors as forges do', () => {
    expect(slugOf('Who may *not*, whatever `the roster` says: [why](x.md)')).toBe('who-may-not-whatever-the-roster-says-why');
    expect([...anchorsOf('# A\n\n## A\n\n```sh\n# no heading\n```\n')]).toEqual(['a', 'a-1']);
  });

  test('can be made with nothing but Node: it imports no package of the tree', () => {
    const sources = execFileSync('git', ['ls-files', 'tools/site'], { cwd: root, encoding: 'utf8' }).split('\n');
    const imported = sources
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => [...readFileSync(join(root, name), 'utf8').matchAll(/ from '([^']+)'/g)]);
    expect(imported.map(([, from = '']) => from).filter((from) => !from.startsWith('node:') && !from.startsWith('./'))).toEqual(
      [],
    );
  });
});

describe('the recording in the README', () => {
  const file = (name: string): string => readFileSync(join(root, 'docs/images', name), 'utf8');

  test('is a picture of what the demo printed', () => {
    expect(file('demo.svg')).toBe(terminalPicture(file('demo.cast'), 'Firebreak’s demo in a terminal'));
  });

  test('cuts long pauses, and folds long lines as a terminal does', () => {
    const cast = [{ version: 2, width: 10 }, [0, 'o', '$ demo\n'], [90, 'o', 'a <line> of 20 chars\n']].map((line) =>
      JSON.stringify(line),
    );
    const picture = terminalPicture(cast.join('\n'), 'demo');
    expect(picture).toContain('>a &lt;line&gt; o<');
    expect(picture).toContain('>f 20 chars<');
    const [, seconds = ''] = /animation:up ([\d.]+)s/.exec(picture) ?? [];
    expect(Number(seconds)).toBeLessThan(10);
  });
});

describe('links', () => {
  test.each([...pages, readme])('of $file lead to files and headings that are there', (page) => {
    const dead = linksOf(page).filter(({ file, anchor }) => {
      if (!existsSync(join(root, file))) return true;
      return anchor !== undefined && file.endsWith('.md') && !anchorsOf(readFileSync(join(root, file), 'utf8')).has(anchor);
    });
    expect(dead.map(({ target }) => target)).toEqual([]);
  });
});
