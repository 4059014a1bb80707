import { cpSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Puts the pages of the documentation where the program is: `firebreak docs` prints them. With what checks a bundle, and without pictures. */
export function copyPages(root: string, to: string): void {
  cpSync(join(root, 'docs'), join(to, 'docs'), {
    recursive: true,
    filter: (from) => /\.md$|\/docs\/spec\/[^/]+$/.test(from) || (statSync(from).isDirectory() && !from.endsWith('images')),
  });
}
