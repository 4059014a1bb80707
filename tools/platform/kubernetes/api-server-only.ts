import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { flags, isExecutable } from '../../../service/parts/command.ts';
import { freePorts } from '../ports.ts';
import { type RunningServer, type ServerGroup, waitUntilReady } from '../server-group.ts';
import type { AuditLevel, AuditPolicy } from './audit-policy.ts';
import { etcdFlags, sharedApiServerFlags, writeAuditPolicy } from './control-plane-flags.ts';
import { callKubernetes, type KubernetesServer, readAccess } from './kubernetes-api.ts';

/** The folder that KUBEBUILDER_ASSETS names, if etcd and an API server are in it. */
export function assetsFolder(): string | undefined {
  const folder = process.env.KUBEBUILDER_ASSETS;
  if (!folder) return undefined;
  return ['etcd', 'kube-apiserver'].every((program) => isExecutable(join(folder, program))) ? folder : undefined;
}

/**
 * Starts etcd and API server from a folder of envtest binaries. There is no controller manager and no node: objects are stored, checked and watched, but no pod
 * runs and no Deployment rolls out.
 */
export async function startApiServerOnly(options: {
  readonly assets: string;
  readonly folder: string;
  readonly auditLevel: AuditLevel | AuditPolicy;
  readonly group: ServerGroup;
}): Promise<KubernetesServer> {
  const { assets, folder, auditLevel, group } = options;
  const pki = join(folder, 'pki');
  const logs = join(folder, 'log');
  mkdirSync(pki, { recursive: true, mode: 0o700 });
  mkdirSync(logs, { recursive: true });
  const ports = await freePorts({ names: ['api', 'etcd', 'etcdPeer'], file: join(folder, 'ports.json') });
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const token = randomBytes(24).toString('hex');
  const secret = { mode: 0o600 };
  writeFileSync(join(pki, 'sa.pub'), publicKey);
  writeFileSync(join(pki, 'sa.key'), privateKey, secret);
  writeFileSync(join(pki, 'tokens.csv'), `${token},admin,admin,system:masters\n`, secret);
  const auditLog = join(logs, 'audit.jsonl');
  const commands = {
    etcd: etcdFlags({ folder: join(folder, 'etcd'), port: ports.etcd, peerPort: ports.etcdPeer }),
    'kube-apiserver': [
      ...sharedApiServerFlags({
        port: ports.api,
        etcdPort: ports.etcd,
        serviceAccountKeys: pki,
        policy: writeAuditPolicy({ folder, auditLevel }),
        auditLog,
      }),
      // Without a controller manager no namespace gets its service account, and every pod would be rejected.
      ...flags({ 'cert-dir': pki, 'token-auth-file': join(pki, 'tokens.csv'), 'disable-admission-plugins': 'ServiceAccount' }),
    ],
  };
  const servers = new Map<string, RunningServer>();
  const start = (name: keyof typeof commands): RunningServer => {
    const server = group.start({ name, command: join(assets, name), args: commands[name], logFile: join(logs, `${name}.log`) });
    servers.set(name, server);
    return server;
  };
  const kubeconfig = join(pki, 'admin.kubeconfig');
  const startApiServer = async () => {
    const server = start('kube-apiserver');
    const certificate = join(pki, 'apiserver.crt');
    await waitUntilReady({ server, timeoutMs: 30_000, ready: async () => existsSync(certificate) });
    const ready = async () => {
      writeKubeconfig({ kubeconfig, server: `https://127.0.0.1:${ports.api}`, ca: readFileSync(certificate), token });
      return (await callKubernetes({ access: readAccess(kubeconfig), path: '/readyz' })).status === 200;
    };
    await waitUntilReady({ server, timeoutMs: 90_000, ready });
  };
  start('etcd');
  await startApiServer();
  return {
    kubeconfig,
    server: `https://127.0.0.1:${ports.api}`,
    auditLog,
    missing: ['controller manager', 'scheduler', 'nodes'],
    pids: () => Object.fromEntries([...servers].map(([name, server]) => [name, server.pid])),
    async restart(name) {
      const before = servers.get(name);
      if (before) await group.end(before, 'SIGKILL');
      if (name === 'kube-apiserver') await startApiServer();
      else if (name === 'etcd') start(name);
      else throw new Error(`There is no ${name} among the binaries of KUBEBUILDER_ASSETS.`);
    },
    async stop() {
      await Promise.all([...servers.values()].map((server) => group.end(server)));
    },
  };
}

function writeKubeconfig(options: {
  readonly kubeconfig: string;
  readonly server: string;
  readonly ca: Buffer;
  readonly token: string;
}): void {
  const { kubeconfig, server, ca, token } = options;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'firebreak', cluster: { server, 'certificate-authority-data': ca.toString('base64') } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'firebreak', context: { cluster: 'firebreak', user: 'admin' } }],
    'current-context': 'firebreak',
  };
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
}
