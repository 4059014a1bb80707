import { cpSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Copies the documentation pages next to the program, for `firebreak docs`. Includes what checks a bundle, and omits pictures. */
export function copyPages(root: string, to: string): void {
  cpSync(join(root, 'docs'), join(to, 'docs'), {
    recursive: true,
    filter: (from) => /\.md$|\/docs\/spec\/[^/]+$/.test(from) || (statSync(from).isDirectory() && !from.endsWith('images')),
  });
}
