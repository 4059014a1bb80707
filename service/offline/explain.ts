import { type NamedKind, openBeforeState } from '../../core/cluster/before-state.ts';
import type { ContainmentResourceStatus, IncidentResourceStatus } from '../../core/cluster/cluster-resources.schema.ts';
import { type ResourceKind, resourceGroup, resourcePlurals, resourceVersion } from '../../core/cluster/cluster-resources.ts';
import { names } from '../../core/cluster/labels.ts';
import { subjectOfIncident, subjectTitle } from '../../core/incident/incident.ts';
import { compareTexts, isObject } from '../../core/text/plain-json.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../integrations/kubernetes/client-error.ts';
import { reporterPrefix } from '../../integrations/kubernetes/object-events.ts';
import { listObjects, type ObjectJson, readObject } from '../../integrations/kubernetes/objects.ts';
import { controllerOf } from '../../integrations/kubernetes/workloads/owners.ts';

/** One resource, as it is in the cluster. */
export interface FoundResource<Status> {
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

/** Why a pod is in its state, according to the cluster. Nothing of it is authenticated: anyone who may change the pod may have changed this too. */
export interface Explanation {
  readonly pod: string;
  readonly exists: boolean;
  /** From its own labels and annotations. */
  readonly marks?: {
    readonly incident: string | undefined;
    readonly severity?: string;
    readonly since?: string;
    /** The end of its first term. */
    readonly until?: string;
    readonly silence?: 'ask' | 'release';
  };
  /** Incidents about the pod itself, about its workload, or named by what holds the pod. */
  readonly incidents: readonly FoundResource<IncidentResourceStatus>[];
  /** On the pod itself. */
  readonly containments: readonly FoundResource<ContainmentResourceStatus>[];
  /** Others in its namespace, such as policies that also apply to it. */
  readonly beside: readonly FoundResource<ContainmentResourceStatus>[];
  readonly events: readonly FoundEvent[];
  /** What could not be read, and why. */
  readonly unseen: readonly string[];
}

/** @throws FB_ERR_REFUSED, FB_ERR_UNAVAILABLE if the pod itself cannot be read. */
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
  const containments = all.filter(isOfPod);
  const workloads = pod ? await look('its workload', () => workloadsOf(api, namespace, pod)) : [];
  const subject = subjectOfIncident(marks?.incident ?? '');
  const about = new Set([
    ...[{ kind: 'Pod', name }, ...workloads].map((one) => titleIn(namespace, one)),
    ...(subject ? [subjectTitle(subject)] : []),
    ...containments.map(({ status }) => status.incident),
  ]);
  const incidents = await look('incidents', () => findResources<IncidentResourceStatus>({ api, kind: 'Incident', namespace }));
  return {
    pod: `${namespace}/${name}`,
    exists: pod !== undefined,
    ...(marks && { marks }),
    incidents: incidents.filter((one) => about.has(incidentTitle(one))),
    containments,
    beside: all.filter(({ status: { target } }) => target.kind !== 'Pod'),
    events: await look('events', () => eventsAbout(api, { namespace, name, uid: pod?.metadata.uid })),
    unseen,
  };
}

/** The incident's title as containments name it. */
export function incidentTitle({ namespace, status: { subject } }: FoundResource<IncidentResourceStatus>): string {
  return titleIn(namespace, subject);
}

function titleIn(namespace: string, { kind, name }: NamedKind): string {
  return `${kind.toLowerCase()}/${namespace}/${name}`;
}

/** Returns the workload it belongs to. While the pod is isolated it has no owner, and its own note names the workload. */
async function workloadsOf(api: KubernetesApi, namespace: string, pod: ObjectJson): Promise<readonly NamedKind[]> {
  const { uid, annotations = {} } = pod.metadata;
  const note = openBeforeState({ text: annotations[names.beforeAnnotation], podUid: uid, key: undefined });
  const before = note.kind === 'read' ? note.state.workload : undefined;
  const owner = controllerOf(pod.metadata.ownerReferences ?? []);
  const place = owner && between[owner.kind];
  const made = place && (await readObject({ api, ref: { ...place, kind: owner.kind, namespace, name: owner.name } }));
  const above = controllerOf(made?.metadata.ownerReferences ?? []);
  return [before, owner, above].filter((one) => one !== undefined);
}

/** Kinds between a pod and the workload that people know. */
const between: Readonly<Record<string, { readonly group: string; readonly resource: string }>> = {
  ReplicaSet: { group: 'apps', resource: 'replicasets' },
  Job: { group: 'batch', resource: 'jobs' },
};

/**
 * Returns the resources of one kind, by name, without those that have no status yet. @throws KubernetesError with 404 if the cluster does not have the kind.
 */
export async function findResources<Status extends IncidentResourceStatus | ContainmentResourceStatus>(options: {
  readonly api: KubernetesApi;
  readonly kind: ResourceKind;
  /** Absent: all namespaces. */
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
      // Leaves out events of another pod with the same name.
      if (pod.uid !== undefined && isObject(regarding) && regarding.uid !== undefined && regarding.uid !== pod.uid) return [];
      return [{ at: textOf(eventTime), reason: textOf(reason), note: textOf(note) }];
    })
    .sort((a, b) => compareTexts(a.at, b.at));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
