/** What the product says to people, read from its code: help, errors, answers, logs, records, descriptions of settings. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseSync } from '@swc/core';
import { programFiles, topRooms } from '../../tools/check/imports.mjs';
import { refusedIn } from '../reading.ts';

const root = resolve(import.meta.dirname, '../..');

/** Texts of a file: literals of more than one word. Each placeholder in a template becomes `…`. */
function textsIn(file: string): readonly string[] {
  const { body } = parseSync(readFileSync(join(root, file), 'utf8'), {
    syntax: 'typescript',
    tsx: file.endsWith('x'),
    target: 'es2024',
  });
  const texts: string[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if ('type' in node && node.type === 'ImportDeclaration') return;
    if ('type' in node && (node.type === 'StringLiteral' || node.type === 'JSXText') && 'value' in node)
      texts.push(String(node.value));
    if ('type' in node && node.type === 'TemplateLiteral' && 'quasis' in node && Array.isArray(node.quasis))
      texts.push(node.quasis.map((quasi: { readonly raw: string }) => quasi.raw).join('…'));
    // An array's values are its elements.
    for (const value of Object.values(node)) visit(value);
  };
  visit(body);
  return texts.filter((text) => /\S\s+\S/.test(text));
}

/** Text in backticks is quoted; so is an example of a command. */
function withoutQuoted(text: string): string {
  return text.replaceAll(/`[^`]*`/g, '').replaceAll(/^ *\$ .*$/gm, '');
}

/** Files taken from the tree to install Firebreak, including their comments. */
const installed = readdirSync(join(root, 'deploy'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(?:yaml|json|txt|tpl)$/.test(path))
  .map((path) => ({ file: `deploy/${path}`, text: readFileSync(join(root, 'deploy', path), 'utf8') }));

const files = topRooms.filter((room) => room !== 'tools').flatMap((room) => programFiles(root, room));
const texts = files.flatMap((file) => textsIn(file).map((text) => ({ file, text })));

describe('what the product says to people', () => {
  test('is read from its code', () => {
    expect(texts.length).toBeGreaterThan(5_000);
  });

  test('names a page by the command that prints it, since users of the package, the image or the archive have no other way to read it', () => {
    const byFile = texts.filter(({ text }) => /(?<!:\S*)\bdocs\/[\w/…-]+\.md/.test(text));
    expect(byFile).toEqual([]);
    expect(installed.length).toBeGreaterThan(30);
    expect(
      installed.flatMap(({ file, text }) => text.match(/(?<!:\S*)\bdocs\/.*/g)?.map((line) => `${file}: ${line}`) ?? []),
    ).toEqual([]);
    const named = [...texts, ...installed].flatMap(({ file, text }) =>
      [...text.matchAll(/firebreak docs ([\w/…-]+)/g)].map(([, page = '']) => ({ file, page })),
    );
    expect(named.length).toBeGreaterThan(15);
    const wanting = named.filter(({ page }) => {
      if (page === 'PAGE') return false;
      const at = join(root, 'docs', page.replace(/…$/, ''));
      return !existsSync(/[…/]$/.test(page) ? at : `${at}.md`) && !existsSync(join(at, 'README.md'));
    });
    expect(wanting).toEqual([]);
  });

  test('uses established terms, as the pages do', () => {
    const found = texts.flatMap(({ file, text }) => refusedIn(withoutQuoted(text)).map((word) => ({ file, word, text })));
    expect(found).toEqual([]);
  });
});
