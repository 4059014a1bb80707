import { setTimeout as sleep } from 'node:timers/promises';
import { names } from '../../core/cluster/labels.ts';
import { type AuditEvent, type AuditLog, isFirebreaks, isWrite } from './audit-log.ts';
import { changedPolicies } from './claims-contained.ts';
import type { DemoCluster, Metadata, Pod } from './cluster.ts';
import { type Claim, changedPods, claim, type Facts, readShop, sortedJson } from './facts.ts';
import { shop } from './shop.ts';

const settleMs = 15_000;

/**
 * After people answered "expected": checks that the pod is as it was before. Its ReplicaSet, which has started another pod meanwhile, adopts it again, has one
 * too many, and ends one of them, possibly this one: so the check reads the state from the API server's response to the release.
 */
export async function releasedClaims(options: {
  readonly cluster: DemoCluster;
  readonly audit: AuditLog;
  readonly before: Facts;
}): Promise<readonly Claim[]> {
  const { cluster, audit, before } = options;
  const deadline = Date.now() + settleMs;
  for (;;) {
    const { pods, policies, secrets, deployments } = await readShop(cluster);
    const events = audit.events();
    const [, release, ...more] = patchesOf(before.suspect, events);
    const given = release?.responseObject?.metadata;
    const ended = endedByOwner(events);
    const alive = pods.filter((pod) => pod.metadata.labels?.app === shop.suspect && pod.metadata.deletionTimestamp === undefined);
    const wanted = before.deployments.find(({ metadata }) => metadata.name === shop.suspect)?.spec.replicas ?? 0;
    const kept = before.others.filter(({ metadata }) => !ended.includes(metadata.name));
    const claims = [
      claim(
        `${before.suspect.metadata.name} was released once, and is still the same pod (uid ${before.suspect.metadata.uid.slice(0, 8)}…)`,
        !given
          ? 'the API server recorded no release of it'
          : more.length > 0
            ? `Firebreak changed it ${more.length + 2} times`
            : given.uid !== before.suspect.metadata.uid
              ? 'it is a different pod'
              : undefined,
      ),
      claim('its labels are byte for byte what they were', difference(before.suspect.metadata.labels, given?.labels)),
      claim(
        'its annotations are what they were, plus one that says that it was released',
        given?.annotations?.[names.releasedAnnotation] === undefined
          ? 'nothing on it says so'
          : difference(before.suspect.metadata.annotations, withoutMark(given.annotations)),
      ),
      claim(aliveText(before.suspect, ended), nowFault({ before: before.suspect, pods, ended, wanted, alive: alive.length })),
      claim('no other pod was touched by Firebreak', touchedOthers(before.suspect, events) ?? changedPods(kept, pods)),
      claim(
        'Secrets, Deployments and the shop’s own NetworkPolicies are unchanged',
        changedPolicies(before.policies, policies) ??
          (secrets.length === 1 && secrets[0]?.metadata.resourceVersion === before.secret.metadata.resourceVersion
            ? undefined
            : 'the Secrets were changed') ??
          deployments
            .filter(({ metadata }) =>
              before.deployments.every(
                (one) => one.metadata.generation !== metadata.generation || one.metadata.uid !== metadata.uid,
              ),
            )
            .map(({ metadata }) => `the Deployment ${metadata.name} was changed`)[0],
      ),
    ];
    if (claims.every(({ ok }) => ok) || Date.now() > deadline) return claims;
    await sleep(100);
  }
}

/** The API server omits the annotations altogether if none is left. */
function withoutMark(annotations: Readonly<Record<string, string>>): Metadata['annotations'] {
  const { [names.releasedAnnotation]: _, ...own } = annotations;
  return Object.keys(own).length > 0 ? own : undefined;
}

/** Firebreak's changes to the pod: the quarantine, then the release. */
function patchesOf({ metadata }: Pod, events: readonly AuditEvent[]): readonly AuditEvent[] {
  return events.filter(
    (event) =>
      isWrite(event) &&
      isFirebreaks(event) &&
      event.objectRef?.resource === 'pods' &&
      event.objectRef.subresource === undefined &&
      event.objectRef.name === metadata.name,
  );
}

/** Names of pods that the ReplicaSet's controller deleted. */
function endedByOwner(events: readonly AuditEvent[]): readonly string[] {
  return events
    .filter((event) => isWrite(event) && event.verb === 'delete' && event.objectRef?.resource === 'pods')
    .filter(({ user }) => user.username.endsWith(':replicaset-controller'))
    .flatMap(({ objectRef }) => objectRef?.name ?? []);
}

function difference(before: Metadata['labels'], now: Metadata['labels']): string | undefined {
  return sortedJson(before) === sortedJson(now) ? undefined : `before ${sortedJson(before)}, now ${sortedJson(now)}`;
}

function aliveText({ metadata }: Pod, ended: readonly string[]): string {
  return ended.includes(metadata.name)
    ? `its ReplicaSet then had one pod too many, and deleted this one: Kubernetes' choice, not Firebreak's`
    : 'it is running, and its ReplicaSet has adopted it again';
}

function nowFault(options: {
  readonly before: Pod;
  readonly pods: readonly Pod[];
  readonly ended: readonly string[];
  readonly wanted: number;
  readonly alive: number;
}): string | undefined {
  const { before, pods, ended, wanted, alive } = options;
  const found = pods.find(({ metadata }) => metadata.uid === before.metadata.uid);
  if (!ended.includes(before.metadata.name)) {
    if (!found) return 'it is gone';
    const changed = difference(before.metadata.labels, found.metadata.labels);
    if (changed !== undefined) return changed;
  }
  return alive === wanted ? undefined : `there are ${alive} pods instead of ${wanted}`;
}

function touchedOthers({ metadata }: Pod, events: readonly AuditEvent[]): string | undefined {
  const others = events.filter(
    (event) =>
      isWrite(event) && isFirebreaks(event) && event.objectRef?.resource === 'pods' && event.objectRef.name !== metadata.name,
  );
  return others.length > 0 ? others.map((event) => `${event.verb} ${event.objectRef?.name}`).join(', ') : undefined;
}
