import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../../service/process/project-root.ts';

/** What is replaced in the workflows: every pair must be there, else the variant would be the same build. */
export type Changes = Readonly<Record<string, string>>;

/**
 * A copy of the built Firebreak, which a build in the meantime does not touch; with `changes`, one whose playbooks are others.
 * Returns its folder. `workflows` takes the place of the built ones.
 */
export function copyProgram(folder: string, changes: Changes = {}, workflows?: Uint8Array): string {
  const root = projectRoot();
  if (!existsSync(join(root, 'dist', 'workflows.bundle.js'))) throw new Error('Firebreak is not built: npm run build');
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const bundle = join(folder, 'dist', 'workflows.bundle.js');
  let code = workflows ? new TextDecoder().decode(workflows) : readFileSync(bundle, 'utf8');
  for (const [before, after] of Object.entries(changes)) {
    if (!code.includes(before)) throw new Error(`the workflows do not contain ${before}`);
    code = code.replaceAll(before, after);
  }
  writeFileSync(bundle, code);
  return folder;
}
