import { join } from 'node:path';
import type { OnProgress } from '../../service/parts/cache.ts';
import { findOnPath } from '../../service/parts/command.ts';
import { goProgram } from './go-program.ts';

/**
 * Prometheus' promtool: from PATH, else built with Go from its module, once. Undefined where there is no Go either. Throws FB_ERR_PLATFORM_PART_MISSING
 * when the build fails.
 */
export async function promtoolBinary(onProgress: OnProgress): Promise<string | undefined> {
  const onPath = findOnPath('promtool');
  if (onPath) return onPath;
  const program = {
    name: 'promtool',
    module: join('tools', 'platform', 'promtool'),
    target: 'tool',
    linked: {},
    // Clients of all clouds, which nothing here asks.
    tags: ['remove_all_sd'],
    pinned: 1,
    title: 'promtool of Prometheus',
  };
  const folder = await goProgram(program, onProgress);
  return folder && join(folder, 'promtool');
}
