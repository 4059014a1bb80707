import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { usualNamespace } from '../fields.ts';
import type { ConfigProblem } from '../problems.ts';
import type { FileConfig } from '../schema.ts';

/** How to reach the cluster, and which of its namespaces Firebreak runs in. */
export type KubernetesConfig = FileConfig['kubernetes'] & { readonly ownNamespace: string };

function namespaceOfPod(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, 'namespace'), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Only the name of its own namespace protects Firebreak from itself. If the pod knows that name, nobody has to write it, and a wrong one is a problem. With a
 * kubeconfig, the cluster that is looked after may be another one.
 */
export function completeKubernetes(options: {
  readonly file: FileConfig;
  readonly absolute: (path: string) => string;
  /** Folder in which the pod's service account is mounted. */
  readonly account: string;
}): { readonly kubernetes: KubernetesConfig; readonly problems: readonly (Omit<ConfigProblem, 'path'> & { at: string[] })[] } {
  const { absolute, account } = options;
  const { kubernetes, actions } = options.file;
  const { kubeconfig, ownNamespace: written } = kubernetes;
  const here = kubeconfig === undefined ? namespaceOfPod(account) : undefined;
  const ownNamespace = written ?? here ?? usualNamespace;
  const isWrong = here !== undefined && here !== ownNamespace;
  const opened = actions.quarantine.forensics?.namespace === ownNamespace;
  return {
    kubernetes: { ...kubernetes, ...(kubeconfig !== undefined && { kubeconfig: absolute(kubeconfig) }), ownNamespace },
    problems: [
      ...(isWrong
        ? [
            {
              at: ['kubernetes', 'ownNamespace'],
              problem: `this pod runs in the namespace ${here}`,
              remedy: 'Leave it out: the pod knows where it runs.',
            },
          ]
        : []),
      ...(opened
        ? [
            {
              at: ['actions', 'quarantine', 'forensics', 'namespace'],
              problem: 'this is Firebreak’s own namespace: the quarantine probe connects from it',
              remedy: 'Name the namespace from which quarantined pods are inspected.',
            },
          ]
        : []),
    ],
  };
}
