import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { flags } from '../../../service/parts/command.ts';
import { type AuditLevel, type AuditPolicy, auditPolicy } from './audit-policy.ts';

export function etcdFlags(options: {
  readonly folder: string;
  readonly port: number;
  readonly peerPort: number;
  readonly flushes?: boolean;
}): string[] {
  const client = `http://127.0.0.1:${options.port}`;
  const peer = `http://127.0.0.1:${options.peerPort}`;
  return flags({
    'data-dir': options.folder,
    'unsafe-no-fsync': options.flushes !== true,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'log-level': 'warn',
  });
}

/** Flags for every API server of the local platform, whoever made its certificates. */
export function sharedApiServerFlags(options: {
  readonly port: number;
  readonly etcdPort: number;
  /** Folder that contains `sa.pub` and `sa.key`. */
  readonly serviceAccountKeys: string;
  readonly policy: string;
  readonly auditLog: string;
  /** Real nodes reach it over a link of their own; without them it listens on 127.0.0.1 only. */
  readonly forRealNodes?: boolean;
}): string[] {
  const { port, etcdPort, serviceAccountKeys, policy, auditLog, forRealNodes = false } = options;
  return flags({
    'etcd-servers': `http://127.0.0.1:${etcdPort}`,
    'bind-address': forRealNodes ? '0.0.0.0' : '127.0.0.1',
    // Anyone else who can reach that port is rejected before authorization.
    ...(forRealNodes && { 'anonymous-auth': false }),
    'advertise-address': '127.0.0.1',
    'secure-port': port,
    'endpoint-reconciler-type': 'none',
    'service-account-key-file': join(serviceAccountKeys, 'sa.pub'),
    'service-account-signing-key-file': join(serviceAccountKeys, 'sa.key'),
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-cluster-ip-range': '10.96.0.0/16',
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'audit-policy-file': policy,
    'audit-log-path': auditLog,
    // A request is only answered once its line is written, and the file is never rotated away from its reader.
    'audit-log-mode': 'blocking',
    'audit-log-maxsize': 100_000,
    'allow-privileged': true,
  });
}

/** Flags for TLS and for the connection to the kubelets, with the certificates that kubelab made. */
export function apiServerCertificateFlags(pki: string): string[] {
  return flags({
    'tls-cert-file': join(pki, 'apiserver.crt'),
    'tls-private-key-file': join(pki, 'apiserver.key'),
    'client-ca-file': join(pki, 'ca.crt'),
    'kubelet-client-certificate': join(pki, 'kubelet-client.crt'),
    'kubelet-client-key': join(pki, 'kubelet-client.key'),
    'kubelet-certificate-authority': join(pki, 'ca.crt'),
    'kubelet-preferred-address-types': 'InternalIP,Hostname',
  });
}

/** Writes the audit policy into the folder and returns its path. */
export function writeAuditPolicy(options: { readonly folder: string; readonly auditLevel: AuditLevel | AuditPolicy }): string {
  const path = join(options.folder, 'audit-policy.json');
  writeFileSync(path, JSON.stringify(auditPolicy(options.auditLevel)));
  return path;
}

export function controllerManagerFlags(options: { readonly pki: string; readonly port: number }): string[] {
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

export function schedulerFlags(options: { readonly pki: string; readonly port: number }): string[] {
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

export function kwokFlags(options: { readonly pki: string; readonly port: number; readonly config: string }): string[] {
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
