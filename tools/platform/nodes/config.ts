import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import { runCommand } from '../../../service/parts/command.ts';
import type { NodeAddresses } from './network.ts';

interface NodeSettings {
  readonly name: string;
  /** Folder of this node: configuration, data and logs. */
  readonly folder: string;
  /** Folder of the control plane's keys and certificates. */
  readonly pki: string;
  readonly apiPort: number;
  readonly addresses: NodeAddresses;
  readonly cgroup: string;
  readonly cniPlugins: string;
  /** The image that sandboxes run. */
  readonly sandboxImage: string;
}

/** Writes all files that a node's programs need at their start. */
export async function writeNodeFiles(settings: NodeSettings): Promise<void> {
  const { folder, pki, name } = settings;
  await makeCertificate(settings);
  const own = { cert: join(folder, 'node.crt'), key: join(folder, 'node.key') };
  writeJson(join(folder, 'kubelet.kubeconfig'), kubeconfig(settings, own));
  writeJson(
    join(folder, 'policy.kubeconfig'),
    kubeconfig(settings, { cert: join(pki, 'admin.crt'), key: join(pki, 'admin.key') }),
  );
  writeJson(join(folder, 'kubelet.json'), kubeletConfig(settings, own));
  mkdirSync(join(folder, 'cni'));
  writeJson(join(folder, 'cni', '10-ptp.conflist'), cniConfig(settings));
  writeFileSync(join(folder, 'containerd.toml'), containerdConfig(settings));
  writeFileSync(join(folder, 'resolv.conf'), `# of ${name}\nnameserver 127.0.0.1\n`);
}

/** Makes the node's own certificate, as client of the API server and as server for it, signed by the control plane's CA. */
async function makeCertificate({ name, folder, pki, addresses }: NodeSettings): Promise<void> {
  const request = join(folder, 'node.cnf');
  const lines = [
    ...['[req]', 'prompt = no', 'distinguished_name = name', 'x509_extensions = extensions'],
    ...['[name]', 'O = system:nodes', `CN = system:node:${name}`],
    ...['[extensions]', 'basicConstraints = critical, CA:FALSE', 'extendedKeyUsage = clientAuth, serverAuth'],
    `subjectAltName = DNS:${name}, IP:${addresses.node}`,
  ];
  writeFileSync(request, `${lines.join('\n')}\n`);
  const { code, stderr } = await runCommand({
    command: 'openssl',
    args: [
      ...['req', '-x509', '-config', request, '-days', '3650', '-CA', join(pki, 'ca.crt'), '-CAkey', join(pki, 'ca.key')],
      ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'],
      ...['-keyout', join(folder, 'node.key'), '-out', join(folder, 'node.crt')],
    ],
  });
  if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_START', `openssl req: ${stderr.trim().slice(-300)}`);
}

/** A kubeconfig with the API server as the node sees it: at this machine's end of the link, under the name in its certificate. */
function kubeconfig({ pki, apiPort, addresses }: NodeSettings, user: { readonly cert: string; readonly key: string }): object {
  const cluster = {
    server: `https://${addresses.host}:${apiPort}`,
    'tls-server-name': 'localhost',
    'certificate-authority-data': readFileSync(join(pki, 'ca.crt')).toString('base64'),
  };
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'firebreak', cluster }],
    users: [{ name: 'node', user: { 'client-certificate': user.cert, 'client-key': user.key } }],
    contexts: [{ name: 'firebreak', context: { cluster: 'firebreak', user: 'node' } }],
    'current-context': 'firebreak',
  };
}

function kubeletConfig({ pki, addresses, cgroup }: NodeSettings, own: { readonly cert: string; readonly key: string }): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: addresses.node,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: join(pki, 'ca.crt') } },
    authorization: { mode: 'Webhook' },
    tlsCertFile: own.cert,
    tlsPrivateKeyFile: own.key,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    resolvConf: '',
    clusterDomain: 'cluster.local',
    // As in the node's init.sh.
    clusterDNS: ['169.254.20.10'],
    // The node must not react to a full disk of the machine.
    evictionHard: { 'memory.available': '1Mi', 'nodefs.available': '0%', 'imagefs.available': '0%', 'nodefs.inodesFree': '0%' },
    imageGCHighThresholdPercent: 100,
    nodeStatusUpdateFrequency: '2s',
    syncFrequency: '5s',
  };
}

function cniConfig({ addresses }: NodeSettings): object {
  const ipam = {
    type: 'host-local',
    dataDir: '/var/lib/cni/networks',
    ranges: [[{ subnet: addresses.podRange }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  return { cniVersion: '0.4.0', name: 'firebreak', plugins: [{ type: 'ptp', mtu: 1500, ipMasq: false, ipam }] };
}

function containerdConfig({ folder, cniPlugins, sandboxImage }: NodeSettings): string {
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${sandboxImage}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${cniPlugins}"]
    conf_dir = "${join(folder, 'cni')}"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
`;
}

function writeJson(file: string, content: object): void {
  writeFileSync(file, JSON.stringify(content), { mode: 0o600 });
}
