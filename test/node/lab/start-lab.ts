import type { KubernetesServer } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { startKubernetes } from '../../../tools/platform/kubernetes/kubernetes-server.ts';
import { forensicTools, makeProgramImage } from '../../../tools/platform/nodes/program-image.ts';

/** What a test needs to know about the lab; as JSON in the file named by FIREBREAK_TEST_LAB. */
export interface LabAddresses {
  readonly kubeconfig: string;
  readonly auditLog: string;
  /** This machine's address as seen by pods: for a server that a test starts on it. */
  readonly hostAddress: string;
  /** A busybox with all its applets, by tag and by digest. */
  readonly image: string;
  readonly imageByDigest: string;
  /** The tools of `deploy/forensics`, by digest. */
  readonly toolsImage: string;
  /** That busybox, with a DNS server at `/dns-server`. */
  readonly dnsImage: string;
  /** For `importImage`: a test that uses its own image. */
  readonly node: { readonly pid: number; readonly programs: string };
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
  const where = { folder: stateDir, onProgress };
  const tools = await makeProgramImage({ name: 'tools', programs: forensicTools, ...where });
  const dns = await makeProgramImage({ name: 'dns', programs: { '/dns-server': 'test/node/dns-server' }, ...where });
  for (const one of [tools, dns]) await realNodes.addImage(one);
  return {
    addresses: {
      kubeconfig,
      auditLog,
      hostAddress,
      image: image.name,
      imageByDigest: image.byDigest,
      toolsImage: tools.byDigest,
      dnsImage: dns.name,
      node: { pid: realNodes.pids()['real-1'] ?? 0, programs: realNodes.programs },
    },
    kubernetes,
  };
}
