import { openBeforeState } from '../../core/cluster/before-state.ts';
import type { ContainmentResourceStatus, IncidentResourceStatus } from '../../core/cluster/cluster-resources.schema.ts';
import { type ResourceKind, resourceGroup, resourcePlurals, resourceVersion } from '../../core/cluster/cluster-resources.ts';
import { names } from '../../core/cluster/labels.ts';
import { compareTexts, isObject } from '../../core/text/plain-json.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../integrations/kubernetes/client-error.ts';
import { reporterPrefix } from '../../integrations/kubernetes/object-events.ts';
import { listObjects, type ObjectJson, readObject } from '../../integrations/kubernetes/objects.ts';

/** One resource, as it stands in the cluster. */
interface FoundResource<Status> {
  readonly namespace: string;
  readonly name: string;
  readonly status: Status;
}

interface FoundEvent {
  /** ISO 8601. */
  readonly at: string;
  readonly reason: string;
  readonly note: string;
}

/** Why a pod is as it is, by what stands in the cluster. Nothing of it is authenticated: whoever may change the pod may have changed it too. */
export interface Explanation {
  readonly pod: string;
  readonly exists: boolean;
  /** By its own labels and annotations. */
  readonly marks?: {
    readonly incident: string | undefined;
    readonly severity?: string;
    readonly since?: string;
    /** The end of its first term. */
    readonly until?: string;
    readonly silence?: 'ask' | 'release';
  };
  /** On the pod itself. */
  readonly containments: readonly FoundResource<ContainmentResourceStatus>[];
  /** Others in its namespace, such as policies that hold for it too. */
  readonly beside: readonly FoundResource<ContainmentResourceStatus>[];
  readonly events: readonly FoundEvent[];
  /** What could not be looked at, and why. */
  readonly unseen: readonly string[];
}

/** @throws FB_ERR_REFUSED, FB_ERR_UNAVAILABLE where the pod itself cannot be read. */
export async function explainPod(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly name: string;
}): Promise<Explanation> {
  const { api, namespace, name } = options;
  const pod = await readObject({ api, ref: { kind: 'Pod', resource: 'pods', namespace, name } });
  const unseen: string[] = [];
  const look = async <T>(what: string, work: () => Promise<readonly T[]>): Promise<readonly T[]> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      unseen.push(`${what}: ${error.status === 404 ? 'this cluster does not have them' : error.detail}`);
      return [];
    }
  };
  const all = await look('containments', () => findResources<ContainmentResourceStatus>({ api, kind: 'Containment', namespace }));
  const isOfPod = ({ status: { target } }: FoundResource<ContainmentResourceStatus>): boolean =>
    target.kind === 'Pod' && target.name === name && (pod === undefined || target.uid === pod.metadata.uid);
  const marks = pod && marksOf(pod);
  return {
    pod: `${namespace}/${name}`,
    exists: pod !== undefined,
    ...(marks && { marks }),
    containments: all.filter(isOfPod),
    beside: all.filter(({ status: { target } }) => target.kind !== 'Pod'),
    events: await look('events', () => eventsAbout(api, { namespace, name, uid: pod?.metadata.uid })),
    unseen,
  };
}

/** The resources of one kind, by name; those that say nothing yet are left out. @throws KubernetesError with 404 where the cluster does not have the kind. */
export async function findResources<Status extends IncidentResourceStatus | ContainmentResourceStatus>(options: {
  readonly api: KubernetesApi;
  readonly kind: ResourceKind;
  /** Absent: in all. */
  readonly namespace?: string;
}): Promise<readonly FoundResource<Status>[]> {
  const { api, kind, namespace } = options;
  const place = { kind, group: resourceGroup, version: resourceVersion, resource: resourcePlurals[kind] };
  const ref = { ...place, ...(namespace !== undefined && { namespace }) };
  const found = await listObjects<ObjectJson & { readonly status?: Status }>({ api, ref });
  return found.flatMap(({ metadata, status }) =>
    status === undefined ? [] : [{ namespace: metadata.namespace ?? '', name: metadata.name, status }],
  );
}

function marksOf({ metadata: { uid, labels = {}, annotations = {} } }: ObjectJson): Explanation['marks'] {
  const text = annotations[names.beforeAnnotation];
  const incident = annotations[names.incidentAnnotation];
  if (labels[names.quarantineLabel] === undefined && text === undefined && incident === undefined) return undefined;
  const opened = openBeforeState({ text, podUid: uid, key: undefined });
  if (opened.kind !== 'read') return { incident };
  const { severity, at, lease } = opened.state.terms;
  const ends = Date.parse(at) + lease.durationMs;
  return {
    incident: incident ?? opened.state.incident,
    severity,
    since: at,
    ...(ends <= 8.64e15 && { until: new Date(ends).toISOString() }),
    silence: lease.onExpiry === 'release' ? 'release' : 'ask',
  };
}

async function eventsAbout(
  api: KubernetesApi,
  pod: { readonly namespace: string; readonly name: string; readonly uid: string | undefined },
): Promise<readonly FoundEvent[]> {
  const ref = { kind: 'Event', group: 'events.k8s.io', resource: 'events', namespace: pod.namespace };
  const query = { fieldSelector: `regarding.kind=Pod,regarding.name=${pod.name}` };
  return (await listObjects({ api, ref, query }))
    .flatMap(({ regarding, reportingController, eventTime, reason, note }): readonly FoundEvent[] => {
      if (typeof reportingController !== 'string' || !reportingController.startsWith(reporterPrefix)) return [];
      // Of another pod of the same name nothing is said.
      if (pod.uid !== undefined && isObject(regarding) && regarding.uid !== undefined && regarding.uid !== pod.uid) return [];
      return [{ at: textOf(eventTime), reason: textOf(reason), note: textOf(note) }];
    })
    .sort((a, b) => compareTexts(a.at, b.at));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
