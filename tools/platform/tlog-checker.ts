import { join } from 'node:path';
import type { OnProgress } from '../../service/parts/cache.ts';
import { goProgram } from './go-program.ts';

/**
 * A checker of transparency logs made from Tessera's own libraries: built with Go from `tools/platform/tlog`, once. It knows nothing of Firebreak. Undefined if
 * there is no Go. Throws FB_ERR_PLATFORM_PART_MISSING if the build fails.
 */
export async function tlogChecker(onProgress: OnProgress): Promise<string | undefined> {
  const program = { name: 'tlog-checker', module: join('tools', 'platform', 'tlog'), target: '.', linked: {}, pinned: 1 };
  const folder = await goProgram({ ...program, title: 'a checker of transparency logs' }, onProgress);
  return folder && join(folder, 'tlog');
}
