import type { DemoCluster, Deployment, NetworkPolicy, Pod, Secret } from './cluster.ts';
import { shop } from './shop.ts';

/** The shop as the API server had it before the alert. */
export interface Facts {
  readonly suspect: Pod;
  /** All pods but the suspect. */
  readonly others: readonly Pod[];
  readonly deployments: readonly Deployment[];
  readonly secret: Secret;
  readonly policies: readonly NetworkPolicy[];
}

/** The contents of the shop's namespace at one moment. */
interface ShopState {
  readonly pods: readonly Pod[];
  readonly deployments: readonly Deployment[];
  readonly secrets: readonly Secret[];
  readonly policies: readonly NetworkPolicy[];
}

export async function readShop(cluster: DemoCluster): Promise<ShopState> {
  const [pods, deployments, secrets, policies] = await Promise.all([
    cluster.pods(),
    cluster.deployments(),
    cluster.secrets(),
    cluster.policies(),
  ]);
  return { pods, deployments, secrets, policies };
}

export async function readFacts(cluster: DemoCluster): Promise<Facts> {
  const { pods, deployments, secrets, policies } = await readShop(cluster);
  const suspect = pods.find(({ metadata }) => metadata.labels?.app === shop.suspect);
  const secret = secrets.find(({ metadata }) => metadata.name === shop.secret);
  if (!suspect || !secret) throw new Error('the shop was not found');
  return { suspect, others: pods.filter((pod) => pod !== suspect), deployments, secret, policies };
}

/** One thing that must be true, and whether the API server confirms it. */
export interface Claim {
  readonly text: string;
  readonly ok: boolean;
  /** The difference from what was claimed. */
  readonly difference?: string;
}

/** `difference` describes what is not as claimed; undefined if everything is. */
export function claim(text: string, difference: string | undefined): Claim {
  return { text, ok: difference === undefined, ...(difference !== undefined && { difference }) };
}

/** Independent of the order of the keys. */
export function sortedJson(map: Readonly<Record<string, string>> | undefined): string {
  return JSON.stringify(Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What happened to pods that nothing should have touched; undefined if all are unchanged. */
export function changedPods(before: readonly Pod[], now: readonly Pod[]): string | undefined {
  const differences = before.flatMap(({ metadata }) => {
    const found = now.find((pod) => pod.metadata.uid === metadata.uid);
    if (!found) return [`${metadata.name} is gone`];
    const same =
      sortedJson(found.metadata.labels) === sortedJson(metadata.labels) &&
      sortedJson(found.metadata.annotations) === sortedJson(metadata.annotations);
    return same ? [] : [`${metadata.name} has different labels or annotations`];
  });
  return differences.length > 0 ? differences.join(', ') : undefined;
}
