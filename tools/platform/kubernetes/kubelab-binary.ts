import { join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import type { OnProgress } from '../../../service/parts/cache.ts';
import { goProgram } from '../go-program.ts';

interface KubernetesVersion {
  readonly git: string;
  readonly major: string;
  readonly minor: string;
}

/** The Kubernetes that go.mod pins: of the control plane where nothing else is asked for, and always of kubectl and of the kubelets of real nodes. */
export const kubernetesVersion: KubernetesVersion = { git: 'v1.36.3', major: '1', minor: '36' };

/** Control planes that `FIREBREAK_KUBERNETES` (`npm test -- --kubernetes 1.37`) chooses from. Each but the usual one has a module file of its own. */
export const controlPlanes: Readonly<Record<string, KubernetesVersion & { readonly modfile?: string }>> = {
  1.36: kubernetesVersion,
  1.37: { git: 'v1.37.2', major: '1', minor: '37', modfile: 'kubernetes-1.37.mod' },
};

const component = 'k8s.io/component-base/version';

/** Linked in, since its programs report it as their version. */
export const linkedVersion = ({ git, major, minor }: KubernetesVersion): Readonly<Record<string, string>> => ({
  [`${component}.gitVersion`]: git,
  [`${component}.gitMajor`]: major,
  [`${component}.gitMinor`]: minor,
  [`${component}.gitTreeState`]: 'clean',
  'k8s.io/client-go/pkg/version.gitVersion': git,
});

/**
 * kubelab, the control plane as one program. Undefined where there is no Go and none is cached. Throws
 * FB_ERR_PLATFORM_PART_MISSING when the build fails.
 */
export async function kubelabBinary(onProgress: OnProgress): Promise<string | undefined> {
  const wanted = process.env.FIREBREAK_KUBERNETES ?? `${kubernetesVersion.major}.${kubernetesVersion.minor}`;
  const version = controlPlanes[wanted];
  if (!version)
    throw new FirebreakError(
      'FB_ERR_PLATFORM_PART_MISSING',
      `Kubernetes ${wanted}, which FIREBREAK_KUBERNETES names. There are: ${Object.keys(controlPlanes).join(', ')}`,
    );
  return kubernetesProgram('kubelab', { version, title: `Kubernetes ${version.git}`, onProgress });
}

/** kubectl, apart: nothing that starts needs it. As kubelabBinary otherwise. */
export function kubectlBinary(onProgress: OnProgress): Promise<string | undefined> {
  const title = `kubectl ${kubernetesVersion.git}`;
  return kubernetesProgram('kubectl', { version: kubernetesVersion, title, onProgress });
}

async function kubernetesProgram(
  name: string,
  options: {
    readonly version: KubernetesVersion & { readonly modfile?: string };
    readonly title: string;
    readonly onProgress: OnProgress;
  },
): Promise<string | undefined> {
  const { version, title, onProgress } = options;
  const { modfile, ...pinned } = version;
  const linked = linkedVersion(version);
  // Under a name of its own in the cache: of two parts of one name the one that was used last is kept.
  const part = modfile === undefined ? name : `${name}-${version.major}.${version.minor}`;
  const folder = await goProgram(
    { name: part, module: 'tools/platform/kubelab', target: `./cmd/${name}`, linked, pinned, title, ...(modfile && { modfile }) },
    onProgress,
  );
  return folder && join(folder, name);
}
