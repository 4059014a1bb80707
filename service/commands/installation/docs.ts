import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { compareTexts } from '../../../core/text/plain-json.ts';
import { unknownName } from '../../config/nearest.ts';
import { projectRoot } from '../../process/project-root.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printJson, printTable } from '../output.ts';

interface Page {
  /** As typed: `operations`, `sensors/falco`; for a folder's first page, the folder. */
  readonly name: string;
  readonly title: string;
  readonly file: string;
}

/** Adds `firebreak docs`: the pages of this version, installed next to the program. The page that errors refer to is one of them. */
export function registerDocsCommand(program: Command): void {
  withExamples(
    withJson(
      program
        .command('docs')
        .description('print a page of this version’s documentation, or list the pages')
        .argument('[page]', 'such as operations or sensors/falco (default: list the pages)'),
    ),
    ['firebreak docs', 'firebreak docs operations | less'],
  ).action((written: string | undefined, options: CommonOptions) => {
    const pages = pagesIn(join(projectRoot(), 'docs'));
    if (written === undefined) return list(pages, options);
    const wanted = written.replace(/^docs\//, '').replace(/(?:\/README)?(?:\.md)?(?:#.*)?$/, '');
    const page = pages.find(({ name }) => name === wanted);
    if (!page) throw unknownName({ what: 'page', written, known: pages.map(({ name }) => name), listedBy: 'firebreak docs' });
    const text = readFileSync(page.file, 'utf8');
    if (options.json) printJson({ page: page.name, title: page.title, text });
    else process.stdout.write(text);
  });
}

function list(pages: readonly Page[], { json }: CommonOptions): void {
  if (json) {
    printJson(pages.map(({ name, title }) => ({ page: name, title })));
    return;
  }
  printTable(pages, [
    { title: 'PAGE', text: ({ name }) => name },
    { title: 'TITLE', text: ({ title }) => title },
  ]);
  print('\nfirebreak docs PAGE prints one.');
}

function pagesIn(folder: string): readonly Page[] {
  if (!existsSync(folder))
    throw new FirebreakError('FB_ERR_FILE_MISSING', `the documentation is missing from this installation: ${folder}`);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => ({
      name: path.replace(/(?:\/README)?\.md$/, ''),
      title: /^# (.*)$/m.exec(readFileSync(join(folder, path), 'utf8'))?.[1] ?? '',
      file: join(folder, path),
    }))
    .toSorted((one, other) => compareTexts(one.name, other.name));
}
