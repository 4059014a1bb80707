import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OnProgress } from '../../service/parts/cache.ts';
import { findOnPath } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { goProgram } from './go-program.ts';

/** The version that a chart sees if it is rendered without a cluster. */
const kubernetes = { major: '1', minor: '36' };

/**
 * Helm: from PATH, otherwise built with Go from its module, once. Undefined if there is no Go either. Throws FB_ERR_PLATFORM_PART_MISSING if the build fails.
 */
export async function helmBinary(onProgress: OnProgress): Promise<string | undefined> {
  const onPath = findOnPath('helm');
  if (onPath) return onPath;
  const module = join('tools', 'platform', 'helm');
  const [, version = ''] = /helm\.sh\/helm\/v3 (v[\d.]+)/.exec(readFileSync(join(projectRoot(), module, 'go.mod'), 'utf8')) ?? [];
  const folder = await goProgram(
    {
      name: 'helm',
      module,
      target: 'tool',
      // As in Helm's own build.
      linked: {
        'helm.sh/helm/v3/internal/version.version': version,
        'helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor': kubernetes.major,
        'helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor': kubernetes.minor,
        'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor': kubernetes.major,
        'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor': kubernetes.minor,
      },
      pinned: kubernetes,
      title: `Helm ${version}`,
    },
    onProgress,
  );
  return folder && join(folder, 'helm');
}
