import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import { replaceFileSync } from '../../../integrations/replace-file.ts';
import type { OnProgress } from '../../../service/parts/cache.ts';
import { runCommand } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { type RunningServer, type ServerGroup, waitUntilReady } from '../server-group.ts';
import { makeNodeCgroup, removeDeadCgroups } from './cgroups.ts';
import { writeNodeFiles } from './config.ts';
import { type LabImage, makeImage } from './image.ts';
import { joinHost, joinNodes, mostNodes, type NodeAddresses, ownNetworkOf } from './network.ts';
import { findCniPlugins, missingForRealNodes } from './parts.mjs';
import { nodePrograms } from './programs.ts';

export interface RealNodes {
  /** Address of this machine, as pods of the first node reach it. */
  readonly hostAddress: string;
  /** Folder with everything that they keep on disk. */
  readonly folder: string;
  /** busybox, present on every node. */
  readonly image: LabImage;
  /** For each node, the process that everything of it ends with. */
  pids(): Readonly<Record<string, number>>;
  /** The folder of containerd's client, so that another process can use `importImage`. */
  readonly programs: string;
  /** Adds an image, made with `makeImage`, to every node. */
  addImage(image: LabImage): Promise<void>;
  /** Ends the nodes and removes what they leave in the kernel. */
  stop(): Promise<void>;
}

interface RealNode {
  readonly name: string;
  readonly folder: string;
  readonly server: RunningServer;
  readonly addresses: NodeAddresses & { readonly pid: number };
}

/**
 * Starts real nodes: each a kubelet, containerd, runc and a controller that enforces NetworkPolicies, in namespaces of its own. All interfaces, mounts and
 * processes of a node end with one process, however that ends; their cgroups are removed by `stop()`, or when nodes are started next. Throws
 * FB_ERR_PLATFORM_PART_MISSING if the machine cannot have them, FB_ERR_PLATFORM_START.
 */
export async function startRealNodes(options: {
  readonly names: readonly string[];
  readonly folder: string;
  readonly pki: string;
  readonly apiPort: number;
  readonly group: ServerGroup;
  readonly onProgress: OnProgress;
}): Promise<RealNodes> {
  const { names, folder, group, onProgress } = options;
  const missing = missingForRealNodes();
  const cniPlugins = findCniPlugins();
  if (missing || !cniPlugins) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', missing ?? 'CNI plugins');
  if (names.length > mostNodes) throw new FirebreakError('FB_ERR_PLATFORM_START', `at most ${mostNodes} nodes can be real`);
  await removeDeadCgroups();
  rmSync(folder, { recursive: true, force: true });
  const programs = join(folder, 'bin');
  mkdirSync(programs, { recursive: true });
  const [image] = await Promise.all([makeImage({ name: 'busybox', folder }), nodePrograms(programs, onProgress)]);

  const nodes: RealNode[] = [];
  for (const [index, name] of names.entries()) {
    const own = join(folder, name);
    for (const part of ['log', 'tmp', 'sysctl', 'var-lib', 'var-log', 'var-lib/kubelet', 'var-lib/cni'])
      mkdirSync(join(own, part), { recursive: true });
    const init = join(projectRoot(), 'tools', 'platform', 'kubelab', 'node', 'init.sh');
    const lab = nodes[0]?.addresses.lab ?? 0;
    const server = group.start({
      name,
      command: 'unshare',
      args: [
        ...['--net', '--mount', '--pid', '--uts', '--ipc', '--mount-proc', '--fork', '--kill-child'],
        ...['sh', init, own, name, programs],
      ],
      logFile: join(own, 'log', 'init.log'),
    });
    await ownNetworkOf(server.pid);
    const addresses = {
      ...(await joinHost({ pid: server.pid, index, ...(nodes.length > 0 && { lab }) })),
      pid: server.pid,
    };
    for (const other of nodes) await joinNodes(other.addresses, addresses);
    const cgroup = makeNodeCgroup(server.pid);
    const { pki, apiPort } = options;
    await writeNodeFiles({ name, folder: own, pki, apiPort, addresses, cgroup, cniPlugins, sandboxImage: image.name });
    const ready = join(own, 'network-ready');
    replaceFileSync({ path: ready, content: `${addresses.node} ${addresses.labPodRange} ${addresses.host}:${apiPort}\n` });
    nodes.push({ name, folder: own, server, addresses });
  }
  const addImage = async (added: LabImage): Promise<void> => {
    await Promise.all(nodes.map((node) => importImage({ pid: node.server.pid, programs, image: added })));
  };
  for (const node of nodes)
    await waitUntilReady({ server: node.server, timeoutMs: 60_000, ready: () => containerdAnswers(node.server.pid, programs) });
  await addImage(image);
  return {
    hostAddress: nodes[0]?.addresses.host ?? '',
    folder,
    image,
    programs,
    pids: () => Object.fromEntries(nodes.map(({ name, server }) => [name, server.pid])),
    addImage,
    async stop() {
      // unshare ignores SIGTERM while its child runs.
      await Promise.all(nodes.map(({ server }) => group.end(server, 'SIGKILL')));
      await removeDeadCgroups();
    },
  };
}

async function containerdAnswers(pid: number, programs: string): Promise<boolean> {
  return (await ctr(pid, programs, 'version')).code === 0;
}

/** Imports an image on the node whose first process is `pid`. Throws FB_ERR_PLATFORM_START. */
export async function importImage(options: {
  readonly pid: number;
  readonly programs: string;
  readonly image: Pick<LabImage, 'name' | 'file'>;
}): Promise<void> {
  const { pid, programs, image } = options;
  const { code, stderr } = await ctr(pid, programs, '--namespace', 'k8s.io', 'images', 'import', image.file);
  if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_START', `${image.name}: ${stderr.trim().slice(-300)}`);
}

/** Runs containerd's own client from outside: it sees the socket through the root of the node's first process. */
function ctr(pid: number, programs: string, ...words: readonly string[]) {
  const socket = `/proc/${pid}/root/run/containerd/containerd.sock`;
  return runCommand({ command: join(programs, 'ctr'), args: ['--address', socket, ...words] });
}
