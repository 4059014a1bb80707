import { join } from 'node:path';
import { goProgram } from '../../service/dev/go-program.ts';
import { type KubernetesServer, startKubernetes } from '../../service/dev/kubernetes-server.ts';
import { makeImage } from '../../service/dev/nodes/image.ts';

/** What a test needs to know of the lab; as JSON in the file that FIREBREAK_TEST_LAB names. */
export interface LabAddresses {
  readonly kubeconfig: string;
  readonly auditLog: string;
  /** This machine, as pods reach it: for a server that a test starts on this address. */
  readonly hostAddress: string;
  /** A busybox with all its applets, by tag and by digest. */
  readonly image: string;
  readonly imageByDigest: string;
  /** The tools of `deploy/forensics`, by digest. */
  readonly toolsImage: string;
}

/** A Kubernetes with one real node. Started once for a whole run, or by a test file that runs alone. */
export async function startLab(options: {
  readonly stateDir: string;
  readonly onProgress: (message: string) => void;
}): Promise<{ readonly addresses: LabAddresses; readonly kubernetes: KubernetesServer }> {
  const { stateDir, onProgress } = options;
  const kubernetes = await startKubernetes({
    stateDir,
    kubernetes: { nodes: [], realNodes: ['real-1'], auditLevel: 'RequestResponse' },
    onProgress,
  });
  const { kubeconfig, auditLog, realNodes } = kubernetes;
  if (!realNodes) throw new Error('the Kubernetes that was started has no real node');
  const { hostAddress, image } = realNodes;
  const tools = await makeImage({ name: 'tools', folder: stateDir, files: await builtTools(onProgress) });
  await realNodes.addImage(tools);
  return {
    addresses: {
      kubeconfig,
      auditLog,
      hostAddress,
      image: image.name,
      imageByDigest: image.byDigest,
      toolsImage: tools.byDigest,
    },
    kubernetes,
  };
}

/** Programs of `deploy/forensics`, each in a folder of its name. */
const tools = ['tools', 'cut'] as const;

/** Each program under its path in the image. */
async function builtTools(onProgress: (message: string) => void): Promise<Readonly<Record<string, string>>> {
  const built = tools.map(async (tool): Promise<readonly [string, string]> => {
    const name = `firebreak-${tool}`;
    const module = `deploy/forensics/${tool}`;
    const folder = await goProgram(
      { name, module, target: '.', linked: {}, pinned: '', title: name, duration: 'less than a minute' },
      onProgress,
    );
    if (!folder) throw new Error('there is no Go to build the tools with');
    return [`/${name}`, join(folder, tool)];
  });
  return Object.fromEntries(await Promise.all(built));
}
