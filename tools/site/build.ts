/**
 * Builds the documentation site in `.build/site/dist`, or serves it while pages are written (`--serve`). Its packages are separate from the tree's, and are
 * installed on first use. `FIREBREAK_REPOSITORY` is the base address of links to files.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPages, siteFile, sitePage, titleOf } from './pages.ts';
import { listsOf } from './sidebar.ts';

const source = fileURLToPath(new URL('.', import.meta.url));
const root = join(source, '../..');
/** As deep below the root as the source, so that its copy finds the same pages. */
const site = join(root, '.build/site');
const staged = join(site, 'pages');
const isServed = process.argv.includes('--serve');

rmSync(staged, { recursive: true, force: true });
mkdirSync(site, { recursive: true });
const lock = join(site, 'package-lock.json');
const isInstalled =
  existsSync(join(site, 'node_modules')) &&
  existsSync(lock) &&
  readFileSync(lock, 'utf8') === readFileSync(join(source, 'package-lock.json'), 'utf8');
cpSync(source, site, { recursive: true });
if (!isInstalled) run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
stage();
mkdirSync(join(staged, 'public'), { recursive: true });
cpSync(join(site, 'node_modules/mermaid/dist/mermaid.min.js'), join(staged, 'public/mermaid.js'));
if (isServed) watch(join(root, 'docs'), { recursive: true }, stage);
run(process.execPath, [join(site, 'node_modules/vitepress/bin/vitepress.js'), isServed ? 'dev' : 'build', site]);

function stage(): void {
  const pages = readPages();
  const files = new Set(pages.map(({ file }) => file));
  const repository = process.env.FIREBREAK_REPOSITORY?.replace(/\/$/, '');
  for (const page of pages) {
    const to = join(staged, siteFile(page.name));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, sitePage({ page, files, repository }));
  }
  for (const [name, text] of listsOf(new Map(pages.map((page) => [page.name, titleOf(page)]))))
    writeFileSync(join(staged, siteFile(name)), text);
  cpSync(join(root, 'docs/images'), join(staged, 'images'), { recursive: true });
}

function run(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: site, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) {
    // A partial installation would count as complete.
    if (command === 'npm') rmSync(lock, { force: true });
    process.exit(status ?? 1);
  }
}
