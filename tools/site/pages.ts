/** The content of the site: the pages of the tree unchanged, with their links adapted to the site. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Pages at the root of the tree. The README is the forge's front page; the site has `docs/index.md`. */
const rootPages = ['SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];

interface SitePage {
  /** As in `sidebar.ts`: relative to `docs`, or to the root of the tree. */
  readonly name: string;
  /** Path from the root of the tree. */
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

/** Path of a page on the site. */
export function siteFile(name: string): string {
  return name.replace(/README\.md$/, 'index.md');
}

export function titleOf({ name, text }: SitePage): string {
  const [, title = name] = /^# (.+)$/m.exec(text) ?? [];
  return title.replaceAll('`', '');
}

/** The anchor of a heading, as forges make it, so that a link works in both places. */
export function slugOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[`*]/g, '')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');
}

/** Anchors of all headings; those with the same name are numbered. */
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

/** Removes code blocks, in which nothing is a heading, a link or prose. */
function withoutBlocks(text: string): string {
  return text.replaceAll(/^( *)(```+)[^\n]*\n[\s\S]*?^ *\2 *$/gm, '');
}

export interface Link {
  readonly target: string;
  /** The file that the link points to, from the root of the tree. */
  readonly file: string;
  readonly anchor: string | undefined;
}

const linkPattern = /\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)/g;

/** The links of a page that point into the tree. */
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

/** A folder stands for its README: a folder of pages without one gets a list of them. */
function pageAt(file: string, files: ReadonlySet<string>): string | undefined {
  if (files.has(file)) return file;
  return [...files].some((one) => one.startsWith(`${file}/`)) ? `${file}/README.md` : undefined;
}

/** The page as the site shows it. A target that is not a page becomes a link into the repository if one is configured, otherwise plain text. */
export function sitePage({
  page,
  files,
  repository,
}: {
  page: SitePage;
  files: ReadonlySet<string>;
  repository: string | undefined;
}): string {
  // Notes in a page for its editors (made by a script) are not for its readers.
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
