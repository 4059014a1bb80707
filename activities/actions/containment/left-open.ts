import type { PodRecord } from '../../../core/cluster/pod-record.ts';

/** Maximum number of claims that are named, and of pods that share one. */
const mostNamed = 3;

const claimWords: Readonly<Record<string, string>> = { persistentvolumeclaim: 'volume claim', resourceclaim: 'resource claim' };

/** `volume claim data` for `persistentvolumeclaim/data`. */
function claimText(claim: string): string {
  const [kind = '', name = ''] = claim.split('/');
  return `${claimWords[kind] ?? kind} ${name}`;
}

/**
 * What a quarantine does not take away, as a sentence for a plan. Based only on the pods' specs, which nobody can change after people were asked. Empty if
 * there is nothing.
 */
export function claimNotes(pods: readonly PodRecord[]): readonly string[] {
  const claims = shortened(claimsIn(pods));
  if (claims.length === 0) return [];
  return [
    `Not cut: ${claims.join(', ')}. Other pods may use what is claimed too, and so may a pod that is started in place of a quarantined one.`,
  ];
}

/** The same for the current state, in words: who shares a claim, and which networks no NetworkPolicy covers. */
export function leftOpen(pods: readonly PodRecord[], others: Iterable<PodRecord>): readonly string[] {
  const contained = new Set(pods.map(({ uid }) => uid));
  const sharing = new Map<string, string[]>(claimsIn(pods).map((claim) => [claim, []]));
  if (sharing.size > 0)
    for (const { uid, name, phase, claims = [] } of others) {
      if (contained.has(uid) || phase === 'Succeeded' || phase === 'Failed') continue;
      for (const claim of claims) sharing.get(claimText(claim))?.push(`pod ${name}`);
    }
  const shared = [...sharing].filter(([, sharers]) => sharers.length > 0);
  const networks = [...new Set(pods.flatMap(({ otherNetworks = [] }) => otherNetworks))].sort();
  return [
    ...networks.map((name) => `network ${name} is not cut: NetworkPolicies apply only to the cluster's own network`),
    ...shortened(shared.map(([claim, sharers]) => `${claim} is shared with ${shortened(sharers.sort()).join(', ')}`)),
  ];
}

function claimsIn(pods: readonly PodRecord[]): readonly string[] {
  return [...new Set(pods.flatMap(({ claims = [] }) => claims.map(claimText)))].sort();
}

/** Anyone who creates pods decides how many there are of anything. */
function shortened(texts: readonly string[]): readonly string[] {
  const more = texts.length - mostNamed;
  return more > 0 ? [...texts.slice(0, mostNamed), `${more} more`] : texts;
}
