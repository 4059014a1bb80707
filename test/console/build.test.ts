import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildConsole } from '../../tools/setup/console.mjs';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-console-'));
  await buildConsole({ folder });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const files = (): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => statSync(join(folder, file)).isFile());
const textOf = (file: string): string => readFileSync(join(folder, file), 'utf8');

describe('the built console', () => {
  test('is one page, one script and one style sheet, with their gzip files, under names that change with their content', () => {
    expect(
      files()
        .map((file) => file.replace(/-[0-9a-f]{12}\./, '-HASH.'))
        .toSorted(),
    ).toEqual([
      'assets/console-HASH.css',
      'assets/console-HASH.css.gz',
      'assets/console-HASH.js',
      'assets/console-HASH.js.gz',
      'index.html',
      'index.html.gz',
    ]);
    for (const file of files().filter((one) => one.endsWith('.gz')))
      expect(gunzipSync(readFileSync(join(folder, file))).toString()).toBe(textOf(file.slice(0, -'.gz'.length)));
  });

  test('is less than 200 kB to transfer, all pages together', () => {
    const bytes = files()
      .filter((file) => file.endsWith('.gz'))
      .map((file) => statSync(join(folder, file)).size);
    expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(200_000);
  });

  test('has no inline script or style in its page, and loads what the build made', () => {
    const page = textOf('index.html');
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
    const loaded = [...page.matchAll(/(?:src|href)="\/console\/([^"]+)"/g)].map(([, file]) => file);
    expect(loaded.toSorted()).toEqual(
      files()
        .filter((file) => /\.(js|css)$/.test(file))
        .toSorted(),
    );
  });

  test('names no other host: nothing is fetched from elsewhere', () => {
    // The namespaces of SVG and MathML only look like addresses.
    const hosts = files()
      .filter((file) => !file.endsWith('.gz'))
      .flatMap((file) => [...textOf(file).matchAll(/https?:\/\/[^\s"'`/]+/g)].map(([host]) => host));
    expect(hosts.filter((host) => host !== 'http://www.w3.org')).toEqual([]);
    expect(textOf(files().find((file) => file.endsWith('.css')) ?? '')).not.toMatch(/url\(|@import/);
  });
});
