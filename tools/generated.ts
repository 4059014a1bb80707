import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot } from '../service/process/project-root.ts';

/**
 * Writes a file that is generated from the sources, unless it is up to date; with `--check` on the command line it writes nothing, reports `problem`, and sets
 * exit code 1.
 */
export function writeGenerated(options: {
  /** Path from the project's root. */
  readonly path: string;
  readonly text: string;
  /** What is wrong with a file that differs, and what to do; printed after its path. */
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
