import { join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import type { OnProgress } from '../../../service/parts/cache.ts';
import { goProgram } from '../go-program.ts';

interface KubernetesVersion {
  readonly git: string;
  readonly major: string;
  readonly minor: string;
  /** Set if it is not go.mod. */
  readonly modfile?: string;
}

/** The Kubernetes that go.mod pins: the default. */
const usual: KubernetesVersion = { git: 'v1.37.2', major: '1', minor: '37' };

/** The choices for `FIREBREAK_KUBERNETES` (`npm test -- --kubernetes 1.36`). Each except the default has a module file of its own. */
export const kubernetesVersions: Readonly<Record<string, KubernetesVersion>> = {
  1.36: { git: 'v1.36.3', major: '1', minor: '36', modfile: 'kubernetes-1.36.mod' },
  1.37: usual,
};

const component = 'k8s.io/component-base/version';

/** Linked in, since the programs report it as their version. */
const linkedVersion = ({ git, major, minor }: KubernetesVersion): Readonly<Record<string, string>> => ({
  [`${component}.gitVersion`]: git,
  [`${component}.gitMajor`]: major,
  [`${component}.gitMinor`]: minor,
  [`${component}.gitTreeState`]: 'clean',
  'k8s.io/client-go/pkg/version.gitVersion': git,
});

/**
 * One of Kubernetes' programs, or kubelab, which is the whole control plane in one. All programs of a run have one version: no kubelet may be newer than its
 * API server. Undefined if there is no Go and none is cached. Throws FB_ERR_PLATFORM_PART_MISSING if the build fails.
 */
export async function kubernetesProgram(
  name: 'kubelab' | 'kubectl' | 'kubelet',
  onProgress: OnProgress,
): Promise<string | undefined> {
  const version = chosenVersion();
  const { modfile, ...pinned } = version;
  // Cached under a name of its own: of two parts with one name only the last used is kept.
  const part = modfile === undefined ? name : `${name}-${version.major}.${version.minor}`;
  const title = name === 'kubelab' ? `Kubernetes ${version.git}` : `the ${name} of Kubernetes ${version.git}`;
  const linked = linkedVersion(version);
  const folder = await goProgram(
    { name: part, module: 'tools/platform/kubelab', target: `./cmd/${name}`, linked, pinned, title, ...(modfile && { modfile }) },
    onProgress,
  );
  return folder && join(folder, name);
}

function chosenVersion(): KubernetesVersion {
  const wanted = process.env.FIREBREAK_KUBERNETES;
  if (wanted === undefined) return usual;
  const version = kubernetesVersions[wanted];
  if (version) return version;
  const there = Object.keys(kubernetesVersions).join(', ');
  throw new FirebreakError(
    'FB_ERR_PLATFORM_PART_MISSING',
    `Kubernetes ${wanted}, which FIREBREAK_KUBERNETES names. There are: ${there}`,
  );
}
