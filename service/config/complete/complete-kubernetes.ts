import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { usualNamespace } from '../fields.ts';
import type { ConfigProblem } from '../problems.ts';
import type { FileConfig } from '../schema.ts';

/** How the cluster is reached, and where in it we are. */
export type KubernetesConfig = FileConfig['kubernetes'] & { readonly ownNamespace: string };

function namespaceOfPod(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, 'namespace'), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Nothing protects Firebreak from itself but the name of its namespace: where the pod knows that, nobody has to write it, and a wrong one is a
 * problem. With a kubeconfig it may be another cluster's that is looked after.
 */
export function completeKubernetes(options: {
  readonly file: FileConfig;
  readonly absolute: (path: string) => string;
  /** Where the pod's account is mounted. */
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
              problem: 'Firebreak’s own: the probe of a quarantine connects from there',
              remedy: 'Name the namespace of whoever looks into quarantined pods.',
            },
          ]
        : []),
    ],
  };
}
