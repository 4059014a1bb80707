import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of Firebreak's package.json, whether this file runs as TypeScript or from `dist`. */
export function projectRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}
