/** What the site is made of: the pages of the tree as they stand, with their links as the site has them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Pages that stand at the root of the tree. The README is the forge's own first page; the site has `docs/index.md`. */
const rootPages = ['SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];

interface SitePage {
  /** As in `sidebar.ts`: below `docs`, or at the root of the tree. */
  readonly name: string;
  /** From the root of the tree. */
  readonly file: string;
  readonly text: string;
}

export function readPages(): readonly SitePage[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
  const files = [...docs.map((name) => `docs/${name}`), ...rootPages];
  return files.map((file) => ({ name: nameOf(file), file, text: readFileSync(join(root, file), 'utf8') }));
}

function nameOf(file: string): string {
  return file.replace(/^docs\//, '');
}

/** Where a page lies on the site. */
export function siteFile(name: string): string {
  return name.replace(/README\.md$/, 'index.md');
}

export function titleOf({ name, text }: SitePage): string {
  const [, title = name] = /^# (.+)$/m.exec(text) ?? [];
  return title.replaceAll('`', '');
}

/** The anchor of a heading, as forges make it, so that a link holds at both. */
export function slugOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[`*]/g, '')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');
}

/** Of all headings, those of the same name numbered. */
export function anchorsOf(text: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const prose = withoutBlocks(text);
  const headings = [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
    const slug = slugOf(heading);
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
  const named = [...prose.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, name = '']) => name);
  return new Set([...headings, ...named]);
}

/** Without blocks of code, in which nothing is a heading, a link or prose. */
function withoutBlocks(text: string): string {
  return text.replaceAll(/^( *)(```+)[^\n]*\n[\s\S]*?^ *\2 *$/gm, '');
}

export interface Link {
  readonly target: string;
  /** The file that it leads to, from the root of the tree. */
  readonly file: string;
  readonly anchor: string | undefined;
}

const linkPattern = /\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)/g;

/** The links of a page that lead to somewhere in the tree. */
export function linksOf({ file, text }: SitePage): readonly Link[] {
  return [...withoutBlocks(text).matchAll(linkPattern)].map(([link, path = '', anchor]) => ({
    target: link.slice(2, -1),
    file: fileOf(file, path),
    anchor,
  }));
}

function fileOf(from: string, path: string): string {
  return path === '' ? from : posix.normalize(posix.join(dirname(from), path)).replace(/\/$/, '');
}

/** A folder is its README, or its first page. */
function pageAt(file: string, files: ReadonlySet<string>): string | undefined {
  const names = [file, `${file}/README.md`, ...[...files].filter((one) => one.startsWith(`${file}/`)).toSorted()];
  return names.find((one) => files.has(one));
}

/** The page as the site shows it. What is no page of it is a link into the repository where one is named, else words. */
export function sitePage({
  page,
  files,
  repository,
}: {
  page: SitePage;
  files: ReadonlySet<string>;
  repository: string | undefined;
}): string {
  // What a page says to those who change it (made by a script) is not for its readers.
  return page.text
    .replaceAll(/^<!--.*?-->\n+/gs, '')
    .replaceAll(
      /(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\((?!https?:|mailto:)([^)\s#]*)(#[^)\s]*)?\)/g,
      (whole, image, words, path, anchor = '') => {
        if (image !== '' || path === '') return whole;
        const file = fileOf(page.file, path);
        const target = pageAt(file, files);
        if (target !== undefined) {
          const away = posix.relative(dirname(nameOf(page.file)), siteFile(nameOf(target)));
          return `[${words}](${away.startsWith('.') ? away : `./${away}`}${anchor})`;
        }
        if (repository === undefined) return words;
        return `[${words}](${repository}/${statSync(join(root, file)).isDirectory() ? 'tree' : 'blob'}/main/${file}${anchor})`;
      },
    );
}
