import { cpSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Puts the pages of the documentation where the program is: `firebreak docs` prints them. Without their pictures. */
export function copyPages(root: string, to: string): void {
  cpSync(join(root, 'docs'), join(to, 'docs'), {
    recursive: true,
    filter: (from) => from.endsWith('.md') || (statSync(from).isDirectory() && !from.endsWith('images')),
  });
}
