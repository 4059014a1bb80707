import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import type { OnProgress } from '../../../service/parts/cache.ts';
import { flags, runCommand } from '../../../service/parts/command.ts';
import { startRealNodes } from '../nodes/real-nodes.ts';
import { freePorts } from '../ports.ts';
import { type RunningServer, type ServerGroup, waitUntilReady } from '../server-group.ts';
import type { AuditLevel, AuditPolicy } from './audit-policy.ts';
import {
  apiServerCertificateFlags,
  controllerManagerFlags,
  etcdFlags,
  kwokFlags,
  schedulerFlags,
  sharedApiServerFlags,
  writeAuditPolicy,
} from './control-plane-flags.ts';
import {
  type ControlPlaneServer,
  callKubernetes,
  type KubernetesAccess,
  type KubernetesServer,
  readAccess,
} from './kubernetes-api.ts';

/**
 * Starts etcd, API server, controller manager, scheduler and kwok from kubelab on 127.0.0.1, with their data in `folder`. kwok simulates the nodes that carry
 * its annotation: pods on them run, but no containers do. On `realNodes` containers run.
 */
export async function startControlPlane(options: {
  readonly kubelab: string;
  readonly folder: string;
  readonly auditLevel: AuditLevel | AuditPolicy;
  readonly group: ServerGroup;
  readonly realNodes?: readonly string[];
  readonly port?: number | undefined;
  readonly flushes: boolean;
  readonly onProgress: OnProgress;
}): Promise<KubernetesServer & { readonly access: KubernetesAccess }> {
  const { kubelab, folder, auditLevel, group, realNodes = [], port, flushes, onProgress } = options;
  const pki = join(folder, 'pki');
  const logs = join(folder, 'log');
  mkdirSync(logs, { recursive: true });
  const ports = await freePorts({
    names: ['api', 'etcd', 'etcdPeer', 'controllerManager', 'scheduler', 'kwok'],
    from: port,
    file: join(folder, 'ports.json'),
  });
  const auditLog = join(logs, 'audit.jsonl');
  const podLog = join(folder, 'pod.log');
  writeFileSync(podLog, `${new Date().toISOString()} stdout F This container is played by kwok: it writes no log of its own.\n`);
  const kwokConfig = join(folder, 'kwok.yaml');

  const commands: Record<ControlPlaneServer, readonly string[]> = {
    etcd: etcdFlags({ folder: join(folder, 'etcd'), port: ports.etcd, peerPort: ports.etcdPeer, flushes }),
    'kube-apiserver': [
      ...sharedApiServerFlags({
        port: ports.api,
        etcdPort: ports.etcd,
        serviceAccountKeys: pki,
        policy: writeAuditPolicy({ folder, auditLevel }),
        auditLog,
        forRealNodes: realNodes.length > 0,
      }),
      ...apiServerCertificateFlags(pki),
    ],
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
  start('etcd');
  const [, configuration] = await Promise.all([
    mustRun(kubelab, ['certs', pki, ...flags({ port: ports.api })]),
    mustRun(kubelab, ['kwok-config', ...flags({ 'pod-log': podLog })]),
  ]);
  writeFileSync(kwokConfig, configuration);
  const kubeconfig = join(pki, 'admin.kubeconfig');
  const access = readAccess(kubeconfig);
  const startApiServer = async () => {
    const server = start('kube-apiserver');
    const ready = async () => (await callKubernetes({ access, path: '/readyz' })).status === 200;
    await waitUntilReady({ server, ready, timeoutMs: 90_000 });
  };
  await startApiServer();
  for (const name of ['kube-controller-manager', 'kube-scheduler', 'kwok'] as const) start(name);
  const nodes =
    realNodes.length > 0
      ? await startRealNodes({ names: realNodes, folder: join(folder, 'nodes'), pki, apiPort: ports.api, group, onProgress })
      : undefined;
  return {
    kubeconfig,
    access,
    server: access.server,
    auditLog,
    missing: [],
    ...(nodes && { realNodes: nodes }),
    pids: () => ({ ...Object.fromEntries([...servers].map(([name, server]) => [name, server.pid])), ...nodes?.pids() }),
    async restart(name) {
      const before = servers.get(name);
      if (before) await group.end(before, 'SIGKILL');
      if (name === 'kube-apiserver') await startApiServer();
      else start(name);
    },
    async stop() {
      await nodes?.stop();
      await Promise.all([...servers.values()].map((server) => group.end(server)));
    },
  };
}

async function mustRun(command: string, args: readonly string[]): Promise<string> {
  const result = await runCommand({ command, args });
  if (result.code === 0) return result.stdout;
  throw new FirebreakError('FB_ERR_PLATFORM_START', `${command} ${args[0]}: ${result.stderr.trim().slice(-300)}`);
}
