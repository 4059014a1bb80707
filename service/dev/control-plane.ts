import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { type AuditLevel, auditPolicy } from './audit-policy.ts';
import { flags, runCommand } from './command.ts';
import { callKubernetes, type KubernetesAccess, readAccess } from './kubernetes-api.ts';
import { freePorts } from './ports.ts';
import { type RunningServer, type ServerGroup, waitUntilReady } from './server-group.ts';

export interface ControlPlane {
  readonly kubeconfig: string;
  readonly access: KubernetesAccess;
  readonly auditLog: string;
  readonly servers: ReadonlyMap<string, RunningServer>;
  /** Kills one server as a crash would, if it still runs, and starts it again on its port with its data. */
  restart(name: ControlPlaneServer): Promise<void>;
  stop(): Promise<void>;
}

export type ControlPlaneServer = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kwok';

/**
 * etcd, API server, controller manager, scheduler and kwok from kubelab, on 127.0.0.1, with their data in `folder`.
 * kwok plays the nodes that carry its annotation: pods on them run, no container does.
 */
export async function startControlPlane(options: {
  readonly kubelab: string;
  readonly folder: string;
  readonly auditLevel: AuditLevel;
  readonly group: ServerGroup;
}): Promise<ControlPlane> {
  const { kubelab, folder, auditLevel, group } = options;
  const pki = join(folder, 'pki');
  const logs = join(folder, 'log');
  mkdirSync(logs, { recursive: true });
  const ports = await freePorts({
    names: ['api', 'etcd', 'etcdPeer', 'controllerManager', 'scheduler', 'kwok'],
    file: join(folder, 'ports.json'),
  });
  await mustRun(kubelab, ['certs', pki, ...flags({ port: ports.api })]);
  const policy = join(folder, 'audit-policy.json');
  writeFileSync(policy, JSON.stringify(auditPolicy(auditLevel)));
  const auditLog = join(logs, 'audit.jsonl');
  const podLog = join(folder, 'pod.log');
  writeFileSync(podLog, `${new Date().toISOString()} stdout F This container is played by kwok: it writes no log of its own.\n`);
  const kwokConfig = join(folder, 'kwok.yaml');
  writeFileSync(kwokConfig, await mustRun(kubelab, ['kwok-config', ...flags({ 'pod-log': podLog })]));

  const commands: Record<ControlPlaneServer, readonly string[]> = {
    etcd: etcdFlags({ folder: join(folder, 'etcd'), port: ports.etcd, peerPort: ports.etcdPeer }),
    'kube-apiserver': apiServerFlags({ pki, port: ports.api, etcdPort: ports.etcd, policy, auditLog }),
    'kube-controller-manager': controllerManagerFlags({ pki, port: ports.controllerManager }),
    'kube-scheduler': schedulerFlags({ pki, port: ports.scheduler }),
    kwok: kwokFlags({ pki, port: ports.kwok, config: kwokConfig }),
  };
  const servers = new Map<ControlPlaneServer, RunningServer>();
  const start = (name: ControlPlaneServer): RunningServer => {
    const args = [name, ...commands[name]];
    const server = group.start({ name, command: kubelab, args, logFile: join(logs, `${name}.log`) });
    servers.set(name, server);
    return server;
  };
  const kubeconfig = join(pki, 'admin.kubeconfig');
  const access = readAccess(kubeconfig);
  const startApiServer = async () => {
    const server = start('kube-apiserver');
    const ready = async () => (await callKubernetes({ access, path: '/readyz' })).status === 200;
    await waitUntilReady({ server, ready, timeoutMs: 90_000 });
  };
  start('etcd');
  await startApiServer();
  for (const name of ['kube-controller-manager', 'kube-scheduler', 'kwok'] as const) start(name);
  return {
    kubeconfig,
    access,
    auditLog,
    servers,
    async restart(name) {
      const before = servers.get(name);
      if (before) await group.end(before, 'SIGKILL');
      if (name === 'kube-apiserver') await startApiServer();
      else start(name);
    },
    async stop() {
      await Promise.all([...servers.values()].map((server) => group.end(server)));
    },
  };
}

async function mustRun(command: string, args: readonly string[]): Promise<string> {
  const result = await runCommand({ command, args });
  if (result.code === 0) return result.stdout;
  throw new FirebreakError('FB_ERR_PLATFORM_START', `${command} ${args[0]}: ${result.stderr.trim().slice(-300)}`);
}

function etcdFlags(options: { readonly folder: string; readonly port: number; readonly peerPort: number }): string[] {
  const client = `http://127.0.0.1:${options.port}`;
  const peer = `http://127.0.0.1:${options.peerPort}`;
  return flags({
    'data-dir': options.folder,
    'unsafe-no-fsync': true,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'log-level': 'warn',
  });
}

function apiServerFlags(options: {
  readonly pki: string;
  readonly port: number;
  readonly etcdPort: number;
  readonly policy: string;
  readonly auditLog: string;
}): string[] {
  const { pki, port, etcdPort, policy, auditLog } = options;
  return flags({
    'etcd-servers': `http://127.0.0.1:${etcdPort}`,
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    'secure-port': port,
    'endpoint-reconciler-type': 'none',
    'tls-cert-file': join(pki, 'apiserver.crt'),
    'tls-private-key-file': join(pki, 'apiserver.key'),
    'client-ca-file': join(pki, 'ca.crt'),
    'service-account-key-file': join(pki, 'sa.pub'),
    'service-account-signing-key-file': join(pki, 'sa.key'),
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-cluster-ip-range': '10.96.0.0/16',
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'kubelet-client-certificate': join(pki, 'kubelet-client.crt'),
    'kubelet-client-key': join(pki, 'kubelet-client.key'),
    'kubelet-certificate-authority': join(pki, 'ca.crt'),
    'kubelet-preferred-address-types': 'InternalIP,Hostname',
    'audit-policy-file': policy,
    'audit-log-path': auditLog,
    // A request is not answered before its line is written, and the file is never rotated away from its reader.
    'audit-log-mode': 'blocking',
    'audit-log-maxsize': 100_000,
    'allow-privileged': true,
  });
}

function controllerManagerFlags(options: { readonly pki: string; readonly port: number }): string[] {
  const { pki, port } = options;
  const kubeconfig = join(pki, 'kcm.kubeconfig');
  return flags({
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'secure-port': port,
    'service-account-private-key-file': join(pki, 'sa.key'),
    'root-ca-file': join(pki, 'ca.crt'),
    'use-service-account-credentials': true,
    'leader-elect': false,
    'allocate-node-cidrs': true,
    'cluster-cidr': '10.244.0.0/16',
    'cluster-signing-cert-file': join(pki, 'ca.crt'),
    'cluster-signing-key-file': join(pki, 'ca.key'),
    'kube-api-qps': 200,
    'kube-api-burst': 400,
  });
}

function schedulerFlags(options: { readonly pki: string; readonly port: number }): string[] {
  const kubeconfig = join(options.pki, 'scheduler.kubeconfig');
  return flags({
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'secure-port': options.port,
    'leader-elect': false,
    'kube-api-qps': 200,
    'kube-api-burst': 400,
  });
}

function kwokFlags(options: { readonly pki: string; readonly port: number; readonly config: string }): string[] {
  const { pki, port, config } = options;
  return flags({
    kubeconfig: join(pki, 'kwok.kubeconfig'),
    config,
    'manage-all-nodes': false,
    'manage-nodes-with-annotation-selector': 'kwok.x-k8s.io/node=fake',
    cidr: '10.250.0.0/16',
    'node-lease-duration-seconds': 40,
    'node-ip': '127.0.0.1',
    'node-name': 'localhost',
    'node-port': port,
    'server-address': `127.0.0.1:${port}`,
    'tls-cert-file': join(pki, 'node.crt'),
    'tls-private-key-file': join(pki, 'node.key'),
  });
}
