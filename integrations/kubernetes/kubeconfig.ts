import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { FirebreakError } from '../../core/errors.ts';

/** How to reach one API server, and our identity there. */
export interface ClusterAccess {
  /** `https://host:port`, without a slash at the end. */
  readonly server: string;
  readonly context: string;
  /** The context's namespace, if it names one. */
  readonly namespace?: string;
  readonly tls: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly servername?: string;
    readonly rejectUnauthorized?: boolean;
  };
  /** The `Authorization` header for the next call; undefined if a client certificate identifies us. */
  readonly authorization: () => Promise<string | undefined>;
}

interface Named<K extends string, T> {
  readonly name: string;
  readonly entry?: Readonly<Record<K, T>>;
}
interface Cluster {
  readonly server: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
}
interface User {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly exec?: unknown;
  readonly 'auth-provider'?: unknown;
}
interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly clusters?: readonly (Named<'cluster', Cluster> & { readonly cluster?: Cluster })[];
  readonly users?: readonly (Named<'user', User> & { readonly user?: User })[];
  readonly contexts?: readonly {
    readonly name: string;
    readonly context: { readonly cluster: string; readonly user: string; readonly namespace?: string };
  }[];
}

const invalid = (detail: string): FirebreakError =>
  new FirebreakError('FB_ERR_CONFIG_INVALID', detail, { remedy: 'Correct the kubeconfig, or name another one.' });

function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${what} ${file} cannot be read`, {
      remedy: 'Name another kubeconfig with --kubeconfig, KUBECONFIG, or `kubernetes.kubeconfig` in the configuration.',
    });
  }
}

function parseKubeconfig(file: string): Kubeconfig {
  const text = readText(file, 'the kubeconfig');
  try {
    return parse(text) ?? {};
  } catch {
    throw invalid(`the kubeconfig ${file} is not YAML`);
  }
}

/**
 * Reads a kubeconfig: certificates and tokens, inline or as files. Plugin logins (`exec`, `auth-provider`) go through client-node, which is loaded only then:
 * it costs 90 MB of memory.
 * @throws FB_ERR_FILE_MISSING, and FB_ERR_CONFIG_INVALID with what is missing in it.
 */
export async function accessFromKubeconfig(options: {
  readonly file: string;
  readonly context?: string;
}): Promise<ClusterAccess> {
  const { file } = options;
  const config = parseKubeconfig(file);
  const contextName = options.context ?? config['current-context'];
  if (!contextName) throw invalid(`the kubeconfig ${file} has no current context`);
  const context = config.contexts?.find(({ name }) => name === contextName)?.context;
  if (!context) throw invalid(`the kubeconfig ${file} has no context ${contextName}`);
  const cluster = config.clusters?.find(({ name }) => name === context.cluster)?.cluster;
  if (!cluster?.server) throw invalid(`the context ${contextName} in ${file} does not name a cluster with a server`);
  const user = config.users?.find(({ name }) => name === context.user)?.user ?? {};

  const folder = dirname(resolve(file));
  const pem = (data: string | undefined, path: string | undefined): string | undefined => {
    if (data) return Buffer.from(data, 'base64').toString('utf8');
    return path ? readText(resolve(folder, path), `in the kubeconfig ${file}, the file`) : undefined;
  };
  const ca = pem(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = pem(user['client-certificate-data'], user['client-certificate']);
  const key = pem(user['client-key-data'], user['client-key']);
  const { server, 'tls-server-name': servername } = cluster;
  const authorization =
    user.exec || user['auth-provider'] ? await pluginLogin({ file, context: contextName }) : tokenReader({ user, folder });
  return {
    server: server.replace(/\/+$/, ''),
    context: contextName,
    ...(context.namespace && { namespace: context.namespace }),
    tls: {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(servername && { servername }),
      ...(cluster['insecure-skip-tls-verify'] && { rejectUnauthorized: false }),
    },
    authorization,
  };
}

/** Where every pod with an account finds its credentials: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
export const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Access from the pod we run in: the mounted service account.
 * @throws FB_ERR_CONFIG_INVALID outside a cluster.
 */
export function accessInCluster(options: {
  readonly host: string | undefined;
  readonly port: string | undefined;
}): ClusterAccess {
  const { host, port = '443' } = options;
  if (!host) throw invalid('no kubeconfig is given, and this is not a pod with a service account');
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    context: 'in-cluster',
    tls: { ca: readText(`${accountFolder}/ca.crt`, 'the certificate of the pod’s account') },
    authorization: tokenReader({ user: { tokenFile: `${accountFolder}/token` }, folder: accountFolder }),
  };
}

/** Bound tokens are renewed in their file about every 50 minutes, so the file is read again every minute. */
function tokenReader({ user, folder }: { readonly user: User; readonly folder: string }): () => Promise<string | undefined> {
  const { token, tokenFile } = user;
  if (!tokenFile) return async () => (token ? `Bearer ${token}` : undefined);
  let read: { readonly at: number; readonly value: string } | undefined;
  return async () => {
    if (!read || Date.now() - read.at > 60_000)
      read = { at: Date.now(), value: readText(resolve(folder, tokenFile), 'the token').trim() };
    return `Bearer ${read.value}`;
  };
}

async function pluginLogin(options: {
  readonly file: string;
  readonly context: string;
}): Promise<() => Promise<string | undefined>> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(options.file);
  config.setCurrentContext(options.context);
  return async () => {
    const request: { headers: Record<string, string> } = { headers: {} };
    await config.applyToHTTPSOptions(request);
    return request.headers.Authorization;
  };
}
