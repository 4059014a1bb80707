import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { parse } from 'yaml';
import type { RealNodes } from '../nodes/real-nodes.ts';

/** How to reach an API server, as far as the local platform needs before any client library is loaded. */
export interface KubernetesAccess {
  readonly server: string;
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }[];
  readonly users: readonly {
    readonly user: { readonly 'client-certificate-data'?: string; readonly 'client-key-data'?: string; readonly token?: string };
  }[];
}

/** Reads a kubeconfig that the local platform wrote itself (one cluster, one user, all data inside). */
export function readAccess(file: string): KubernetesAccess {
  const config: Kubeconfig = parse(readFileSync(file, 'utf8'));
  const cluster = config.clusters[0]?.cluster;
  const user = config.users[0]?.user;
  if (!cluster || !user) throw new Error(`${file} does not name both a cluster and a user`);
  const decode = (text: string) => Buffer.from(text, 'base64').toString('utf8');
  return {
    server: cluster.server,
    ca: decode(cluster['certificate-authority-data']),
    ...(user['client-certificate-data'] && { cert: decode(user['client-certificate-data']) }),
    ...(user['client-key-data'] && { key: decode(user['client-key-data']) }),
    ...(user.token && { token: user.token }),
  };
}

/** Makes one call to the API server. Status 0 if nothing answers. */
export function callKubernetes(options: {
  readonly access: KubernetesAccess;
  readonly path: string;
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly body?: object;
  readonly timeoutMs?: number;
}): Promise<{ readonly status: number; readonly text: string }> {
  const { access, path, method = 'GET', body, timeoutMs = 5000 } = options;
  return new Promise((resolve) => {
    const call = request(
      `${access.server}${path}`,
      {
        method,
        ca: access.ca,
        cert: access.cert,
        key: access.key,
        agent: false,
        timeout: timeoutMs,
        headers: {
          ...(access.token && { authorization: `Bearer ${access.token}` }),
          ...(body && { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.once('error', () => resolve({ status: 0, text: '' }));
      },
    );
    call.once('timeout', () => call.destroy());
    call.once('error', () => resolve({ status: 0, text: '' }));
    call.end(body ? JSON.stringify(body) : undefined);
  });
}

export interface KubernetesServer {
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** The API server's URL. */
  readonly server: string;
  /** Path of the API server's audit log: one JSON event per line, written before the request is answered. */
  readonly auditLog: string;
  /** What is missing: with only an API server, pods do not run and Deployments do not roll out. Empty if nothing is missing. */
  readonly missing: readonly string[];
  /** Set if it was started with any. */
  readonly realNodes?: RealNodes;
  /** Its name, if it is a kind cluster. */
  readonly kindCluster?: string;
  /** The pid of each server that we started. */
  pids(): Readonly<Record<string, number>>;
  /** Kills one server as a crash would, if it still runs, and restarts it on its port with its data. */
  restart(name: ControlPlaneServer): Promise<void>;
  stop(): Promise<void>;
}

/** The API server's URL of a kubeconfig's current context; empty if it names none. */
export function serverOf(kubeconfig: string): string {
  const config: ClusterList = parse(readFileSync(kubeconfig, 'utf8'));
  const context = config.contexts.find(({ name }) => name === config['current-context'])?.context;
  return config.clusters.find(({ name }) => name === context?.cluster)?.cluster.server ?? '';
}

interface ClusterList {
  readonly 'current-context': string;
  readonly contexts: readonly { readonly name: string; readonly context: { readonly cluster: string } }[];
  readonly clusters: readonly { readonly name: string; readonly cluster: { readonly server: string } }[];
}

export type ControlPlaneServer = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kwok';
