import { setTimeout as sleep } from 'node:timers/promises';
import { names } from '../../core/cluster/labels.ts';
import type { DemoCluster, NetworkPolicy, Pod } from './cluster.ts';
import { type Claim, changedPods, claim, type Facts } from './facts.ts';
import { shop } from './shop.ts';

const settleMs = 15_000;

/** Checks that the pod is cut off as claimed, and that nothing else was touched. Waits for controllers, which need a moment. */
export async function containedClaims(cluster: DemoCluster, before: Facts): Promise<readonly Claim[]> {
  const { uid, name } = before.suspect.metadata;
  const deadline = Date.now() + settleMs;
  for (;;) {
    const [pods, policies, slices] = await Promise.all([cluster.pods(), cluster.policies(), cluster.endpoints(shop.suspect)]);
    const suspect = pods.find((pod) => pod.metadata.uid === uid);
    const served = slices.some(({ endpoints }) => endpoints?.some(({ targetRef }) => targetRef?.uid === uid));
    const running = pods.filter((pod) => pod.metadata.labels?.app === shop.suspect && pod.status.phase === 'Running').length;
    const wanted = before.deployments.find(({ metadata }) => metadata.name === shop.suspect)?.spec.replicas ?? 0;
    const claims = [
      claim(
        `${name} is still the same pod (uid ${uid.slice(0, 8)}…), and has only the quarantine's labels`,
        labelsLeft(suspect, before),
      ),
      claim('the standing policy denies it all traffic in and out', policyFault(policies, suspect)),
      claim(`the Service ${shop.suspect} no longer sends traffic to it`, served ? 'it is still among the endpoints' : undefined),
      claim(
        `its ReplicaSet has replaced it: ${wanted} pods are running`,
        running === wanted ? undefined : `${running} of ${wanted} are running`,
      ),
      claim('no other pod was touched', changedPods(before.others, pods)),
      claim('the shop’s own NetworkPolicies are unchanged', changedPolicies(before.policies, policies)),
    ];
    if (claims.every(({ ok }) => ok) || Date.now() > deadline) return claims;
    await sleep(100);
  }
}

function labelsLeft(suspect: Pod | undefined, { suspect: before }: Facts): string | undefined {
  if (!suspect) return 'the pod is gone';
  const labels = suspect.metadata.labels ?? {};
  const old = Object.keys(before.metadata.labels ?? {}).filter((key) => labels[key] !== undefined);
  if (labels[names.quarantineLabel] === undefined) return `the label ${names.quarantineLabel} is missing`;
  return old.length > 0 ? `it still has ${old.join(', ')}` : undefined;
}

function policyFault(policies: readonly NetworkPolicy[], suspect: Pod | undefined): string | undefined {
  const policy = policies.find(({ metadata }) => metadata.name === names.standingPolicy);
  if (!policy) return `the NetworkPolicy ${names.standingPolicy} is missing`;
  const { podSelector, policyTypes = [], ingress = [], egress = [] } = policy.spec;
  const wanted = Object.entries(podSelector.matchLabels ?? {});
  const labels = suspect?.metadata.labels ?? {};
  if (wanted.length === 0 || wanted.some(([key, value]) => labels[key] !== value)) return 'it does not select the pod';
  if (!policyTypes.includes('Ingress') || !policyTypes.includes('Egress')) return 'it does not cover both directions';
  return ingress.length + egress.length > 0 ? 'it allows some traffic' : undefined;
}

export function changedPolicies(before: readonly NetworkPolicy[], now: readonly NetworkPolicy[]): string | undefined {
  const changed = before.filter(({ metadata }) => {
    const found = now.find((policy) => policy.metadata.uid === metadata.uid);
    return found?.metadata.resourceVersion !== metadata.resourceVersion;
  });
  return changed.length > 0 ? `changed: ${changed.map(({ metadata }) => metadata.name).join(', ')}` : undefined;
}
