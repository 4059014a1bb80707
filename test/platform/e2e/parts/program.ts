import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceNodeFlags } from '../../../../service/launcher/node-flags.mjs';
import { projectRoot } from '../../../../service/process/project-root.ts';

/** Replacements in the workflows: every text must be found, otherwise the variant would be the same build. */
export type Changes = Readonly<Record<string, string>>;

/**
 * Copies the built Firebreak, so that a build in the meantime does not affect it; with `changes`, its playbooks differ. Returns the folder. `workflows`
 * replaces the built ones.
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

/**
 * The built Firebreak, unaffected by a build in the meantime: all files of a run share one copy, which a service starts with `compiled`; a file that runs alone
 * gets a copy in `folder`.
 */
export function builtProgram(folder: string): string {
  if (process.env.FIREBREAK_TEST_RUN === undefined) return copyProgram(folder);
  const sources = readFileSync(join(projectRoot(), 'dist', '.sources'), 'utf8');
  const shared = join(tmpdir(), `fb-built-${sources.slice(0, 16)}`);
  if (existsSync(shared)) return shared;
  const draft = copyProgram(mkdtempSync(`${shared}.`));
  try {
    renameSync(draft, shared);
  } catch {
    // Another worker was first.
    rmSync(draft, { recursive: true, force: true });
    return shared;
  }
  // A service that is killed does not write its compile cache. This process loads the same modules and ends normally.
  const cli = join(shared, 'dist', 'service', 'cli.js');
  spawnSync(process.execPath, [...serviceNodeFlags, cli, 'run', '--help'], {
    stdio: 'ignore',
    env: { ...process.env, ...compiled() },
  });
  return shared;
}

/** Environment for a service: where Node finds what the run has compiled already, which saves a fifth of a start. */
export function compiled(): Readonly<Record<string, string>> {
  const { NODE_COMPILE_CACHE } = process.env;
  return NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };
}
