import { join } from 'node:path';
import type { OnProgress } from '../../service/parts/cache.ts';
import { findOnPath } from '../../service/parts/command.ts';
import { goProgram } from './go-program.ts';

/**
 * Krew, the plugin manager of kubectl: from PATH, otherwise built with Go from its module, once, in some seconds. Undefined if there is no Go either. Throws
 * FB_ERR_PLATFORM_PART_MISSING if the build fails.
 */
export async function krewBinary(onProgress: OnProgress): Promise<string | undefined> {
  const onPath = findOnPath('kubectl-krew');
  if (onPath) return onPath;
  const program = {
    name: 'krew',
    module: join('tools', 'platform', 'krew'),
    target: 'tool',
    linked: {},
    pinned: 1,
    title: 'krew',
  };
  const folder = await goProgram(program, onProgress);
  return folder && join(folder, 'krew');
}
