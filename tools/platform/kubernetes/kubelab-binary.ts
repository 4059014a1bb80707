import { join } from 'node:path';
import type { OnProgress } from '../../../service/parts/cache.ts';
import { goProgram } from '../go-program.ts';

/** The Kubernetes that go.mod pins; it is linked in, since its programs report it as their version. */
export const kubernetesVersion = { git: 'v1.36.3', major: '1', minor: '36' };

const component = 'k8s.io/component-base/version';
export const linkedVersion = {
  [`${component}.gitVersion`]: kubernetesVersion.git,
  [`${component}.gitMajor`]: kubernetesVersion.major,
  [`${component}.gitMinor`]: kubernetesVersion.minor,
  [`${component}.gitTreeState`]: 'clean',
  'k8s.io/client-go/pkg/version.gitVersion': kubernetesVersion.git,
};

/**
 * kubelab, the control plane as one program. Undefined where there is no Go and none is cached. Throws
 * FB_ERR_PLATFORM_PART_MISSING when the build fails.
 */
export function kubelabBinary(onProgress: OnProgress): Promise<string | undefined> {
  return kubernetesProgram('kubelab', `Kubernetes ${kubernetesVersion.git}`, onProgress);
}

/** kubectl, apart: nothing that starts needs it. As kubelabBinary otherwise. */
export function kubectlBinary(onProgress: OnProgress): Promise<string | undefined> {
  return kubernetesProgram('kubectl', `kubectl ${kubernetesVersion.git}`, onProgress);
}

async function kubernetesProgram(name: string, title: string, onProgress: OnProgress): Promise<string | undefined> {
  const folder = await goProgram(
    { name, module: 'tools/platform/kubelab', target: `./cmd/${name}`, linked: linkedVersion, pinned: kubernetesVersion, title },
    onProgress,
  );
  return folder && join(folder, name);
}
