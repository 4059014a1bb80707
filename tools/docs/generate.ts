/** Writes the generated pages of `docs/`; with `--check` only says which are not up to date, with exit code 1. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../service/process/project-root.ts';
import { actionsPage } from './actions-page.ts';
import { architecturePage } from './architecture-page.ts';
import { configurationPage } from './configuration-page.ts';
import { errorsPage } from './errors-page.ts';
import { hostileBusPage } from './hostile-bus-page.ts';
import { rightsPage } from './rights-page.ts';

const pages: readonly { readonly name: string; readonly source: string; readonly make: () => string }[] = [
  { name: 'actions.md', source: 'core/actions', make: actionsPage },
  { name: 'architecture.md', source: 'the imports of all files', make: architecturePage },
  { name: 'configuration.md', source: 'service/config', make: configurationPage },
  { name: 'errors.md', source: 'core/errors.ts', make: errorsPage },
  { name: 'hostile-bus.md', source: 'core/messages/message-table.ts', make: hostileBusPage },
  { name: 'rights.md', source: 'service/rbac', make: rightsPage },
];

function textOf({ source, make }: (typeof pages)[number]): string {
  return `<!-- Generated from ${source} by \`node tools/docs/generate.ts\`. Do not edit. -->\n\n${make()}\n`;
}

function isUpToDate(page: (typeof pages)[number], path: string): boolean {
  return existsSync(path) && readFileSync(path, 'utf8') === textOf(page);
}

const checkOnly = process.argv.includes('--check');
for (const page of pages) {
  const path = join(projectRoot(), 'docs', page.name);
  if (isUpToDate(page, path)) continue;
  if (checkOnly) {
    process.stderr.write(`docs/${page.name} is not up to date with ${page.source}: run \`node tools/docs/generate.ts\`\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, textOf(page));
    process.stdout.write(`wrote docs/${page.name}\n`);
  }
}
