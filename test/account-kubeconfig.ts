import { readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { callKubernetes, readAccess } from '../tools/platform/kubernetes/kubernetes-api.ts';

/** Writes a kubeconfig for a ServiceAccount, with its own token: an administrator's kubeconfig with another user. */
export async function writeAccountKubeconfig(options: {
  /** An administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly name: string;
  /** The file to write. */
  readonly file: string;
}): Promise<void> {
  const { kubeconfig, namespace, name, file } = options;
  const { status, text } = await callKubernetes({
    access: readAccess(kubeconfig),
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    method: 'POST',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
    timeoutMs: 120_000,
  });
  if (status !== 201) throw new Error(`a token for ${namespace}/${name}: status ${status}`);
  const made: { readonly status: { readonly token: string } } = JSON.parse(text);
  const config = parse(readFileSync(kubeconfig, 'utf8'));
  config.users[0].user = { token: made.status.token };
  writeFileSync(file, stringify(config));
}
