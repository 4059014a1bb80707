import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import { type OnProgress, withProgress } from '../../../service/parts/cache.ts';
import { findOnPath, runCommand } from '../../../service/parts/command.ts';
import type { ServerGroup } from '../server-group.ts';
import type { AuditLevel, AuditPolicy } from './audit-policy.ts';
import { writeAuditPolicy } from './control-plane-flags.ts';
import { type KubernetesServer, serverOf } from './kubernetes-api.ts';

/** `kind`, if it is on PATH and a Docker daemon answers. */
export async function kindProgram(): Promise<string | undefined> {
  const kind = findOnPath('kind');
  const docker = findOnPath('docker');
  if (!kind || !docker) return undefined;
  return (await runCommand({ command: docker, args: ['info'] })).code === 0 ? kind : undefined;
}

/** Starts a kind cluster with the same audit log, deleted at the end. Its nodes are kind's own, whatever names were requested. */
export async function startKindCluster(options: {
  readonly kind: string;
  readonly folder: string;
  readonly workers: number;
  readonly auditLevel: AuditLevel | AuditPolicy;
  readonly group: ServerGroup;
  readonly onProgress: OnProgress;
}): Promise<KubernetesServer> {
  const { kind, folder, workers, auditLevel, group, onProgress } = options;
  const name = `firebreak-${randomBytes(4).toString('hex')}`;
  const logs = join(folder, 'log');
  mkdirSync(logs, { recursive: true });
  const auditLog = join(logs, 'audit.jsonl');
  // Created here, so that it belongs to this user and not to the container's root.
  writeFileSync(auditLog, '');
  chmodSync(auditLog, 0o666);
  const kubeconfig = join(folder, 'admin.kubeconfig');
  const configFile = join(folder, 'kind.json');
  writeFileSync(configFile, JSON.stringify(kindConfig({ policy: writeAuditPolicy({ folder, auditLevel }), logs, workers })));
  group.adoptKindCluster(name);
  const args = ['create', 'cluster', '--name', name, '--config', configFile, '--kubeconfig', kubeconfig, '--wait', '120s'];
  const result = await withProgress({
    what: 'starting Kubernetes with kind',
    onProgress,
    work: () => runCommand({ command: kind, args }),
  });
  if (result.code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_START', `kind: ${result.stderr.trim().slice(-300)}`);
  return {
    kubeconfig,
    server: serverOf(kubeconfig),
    auditLog,
    kindCluster: name,
    missing: [],
    pids: () => ({}),
    restart: () => Promise.reject(new Error('The servers of a kind cluster cannot be restarted one by one.')),
    async stop() {
      await deleteKindCluster(name);
      group.releaseKindCluster(name);
    },
  };
}

export async function deleteKindCluster(name: string): Promise<void> {
  await runCommand({ command: 'kind', args: ['delete', 'cluster', '--name', name] });
}

/** From kind's own page on auditing: kubeadm's API server gets the policy and the log's folder as mounts of the node. */
function kindConfig(options: { readonly policy: string; readonly logs: string; readonly workers: number }): object {
  const { policy, logs, workers } = options;
  const mounted = { policy: '/etc/kubernetes/firebreak/policy.json', logs: '/var/log/firebreak' };
  const patch = {
    kind: 'ClusterConfiguration',
    apiServer: {
      extraArgs: {
        'audit-policy-file': mounted.policy,
        'audit-log-path': `${mounted.logs}/audit.jsonl`,
        'audit-log-mode': 'blocking',
        'audit-log-maxsize': '100000',
      },
      extraVolumes: [
        { name: 'audit-policy', hostPath: mounted.policy, mountPath: mounted.policy, readOnly: true, pathType: 'File' },
        { name: 'audit-log', hostPath: mounted.logs, mountPath: mounted.logs, readOnly: false, pathType: 'DirectoryOrCreate' },
      ],
    },
  };
  return {
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    nodes: [
      {
        role: 'control-plane',
        kubeadmConfigPatches: [JSON.stringify(patch)],
        extraMounts: [
          { hostPath: policy, containerPath: mounted.policy, readOnly: true },
          { hostPath: logs, containerPath: mounted.logs },
        ],
      },
      ...Array.from({ length: workers }, () => ({ role: 'worker' })),
    ],
  };
}
