import { basename, join } from 'node:path';
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
  /** That busybox, and a DNS server under `/dns-server`. */
  readonly dnsImage: string;
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
  const tools = await makeImage({ name: 'tools', folder: stateDir, files: await built(forensicTools, onProgress) });
  const dns = await makeImage({ name: 'dns', folder: stateDir, files: await built(dnsServer, onProgress) });
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
    },
    kubernetes,
  };
}

/** Path in the image → folder of the Go module, which has the program's name. */
type Programs = Readonly<Record<string, string>>;
const forensicTools: Programs = { '/firebreak-tools': 'deploy/forensics/tools', '/firebreak-cut': 'deploy/forensics/cut' };
const dnsServer: Programs = { '/dns-server': 'test/node/dns-server' };

/** Path in the image → file here. */
async function built(programs: Programs, onProgress: (message: string) => void): Promise<Readonly<Record<string, string>>> {
  const all = Object.entries(programs).map(async ([path, module]): Promise<readonly [string, string]> => {
    const name = basename(path);
    const folder = await goProgram(
      { name, module, target: '.', linked: {}, pinned: '', title: name, duration: 'less than a minute' },
      onProgress,
    );
    if (!folder) throw new Error(`there is no Go to build ${name} with`);
    return [path, join(folder, basename(module))];
  });
  return Object.fromEntries(await Promise.all(all));
}
