/** Builds the web console: one script and one style sheet, named by their content, and the page that loads them. Plain JavaScript, see setup.mjs. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { root } from './setup.mjs';

/** Writes into `folder`. Files named by their content never change, so a browser may cache them for good; next to each file is its gzip, as it is sent. */
export async function buildConsole({ folder }) {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { console: join('console', 'main.tsx') },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: ['es2023', 'chrome120', 'firefox121', 'safari17.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    charset: 'utf8',
    legalComments: 'none',
    outdir: folder,
    tsconfigRaw: {},
    logLevel: 'silent',
  });
  mkdirSync(join(folder, 'assets'), { recursive: true });
  let page = readFileSync(join(root, 'console', 'index.html'), 'utf8');
  for (const { path, contents } of outputFiles) {
    const [name, extension] = basename(path).split('.');
    const asset = `assets/${name}-${createHash('sha256').update(contents).digest('hex').slice(0, 12)}.${extension}`;
    page = page.replaceAll(`${name}.${extension}`, asset);
    write(join(folder, asset), contents);
  }
  write(join(folder, 'index.html'), page);
}

function write(path, contents) {
  writeFileSync(path, contents);
  writeFileSync(`${path}.gz`, gzipSync(contents, { level: 9 }));
}
