import { join } from 'node:path';
import type { OnProgress } from '../../service/parts/cache.ts';
import { goProgram } from './go-program.ts';

/**
 * Returns a program that loads a compose file with the libraries of Compose's own specification: built with Go from `tools/platform/compose`, once, in some
 * seconds. Undefined if there is no Go. Throws FB_ERR_PLATFORM_PART_MISSING if the build fails.
 */
export async function composeChecker(onProgress: OnProgress): Promise<string | undefined> {
  const program = { name: 'compose-checker', module: join('tools', 'platform', 'compose'), target: '.', linked: {}, pinned: 1 };
  const folder = await goProgram({ ...program, title: 'a checker of compose files' }, onProgress);
  return folder && join(folder, 'compose');
}
