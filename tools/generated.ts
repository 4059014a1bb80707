import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot } from '../service/process/project-root.ts';

/**
 * Writes a file that is made from the sources, where it is not so already; with `--check` on the command line it writes nothing, says `problem`, and the
 * exit code is 1.
 */
export function writeGenerated(options: {
  /** From the project's root. */
  readonly path: string;
  readonly text: string;
  /** What is wrong with a file that differs, and what to do, after its path. */
  readonly problem: string;
}): void {
  const { path, text, problem } = options;
  const file = join(projectRoot(), path);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  if (process.argv.includes('--check')) {
    process.stderr.write(`${path}${problem}\n`);
    process.exitCode = 1;
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  process.stdout.write(`wrote ${path}\n`);
}
