import type { Assessment } from '../assessment/response.ts';
import type { HarmlessDecision } from './coverage.ts';
import type { Severity } from './severity.ts';

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  /** Absent until the cell's watch cache has resolved it. Nothing automatic is done to a pod without a uid. */
  readonly uid?: string;
}

/** The owner of the pod, from its owner references; `guessed` if derived from the pod's name only. */
export interface WorkloadRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly guessed?: true;
}

/** When the code running in the pod was last rolled out, according to its ReplicaSet. */
export interface RolloutRef {
  readonly revision: string;
  /** ISO 8601, UTC. Absent: an older template was rolled out again, and nothing records when. */
  readonly at?: string;
}

export interface ContainerRef {
  readonly id?: string;
  readonly name?: string;
  readonly image?: string;
  readonly digest?: string;
}

export interface ProcessRef {
  readonly name?: string;
  readonly exe?: string;
  readonly commandLine?: string;
  readonly parent?: string;
  readonly user?: string;
  readonly pid?: number;
}

export interface Observable {
  readonly type: 'ip' | 'domain' | 'hash' | 'path' | 'user';
  readonly value: string;
}

/** A request to the API server, as its audit event describes it. */
export interface ApiRequest {
  /** The account that the API server authenticated. */
  readonly account: string;
  /** The user that this account impersonated. */
  readonly impersonates?: string;
  readonly verb: string;
  /** What the request says about itself, if it claims to be a step of Firebreak. Only the key can tell whether it is. */
  readonly stamp?: { readonly request: string; readonly sealed: string };
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** What the cell has found out about an alert, as far as an enabled playbook asks for it. Absent: not known. */
export interface AlertFacts {
  /** Labels of its pod: all of them, or as many as are kept, plus those that an enabled playbook asks for; null for a label it does not have. */
  readonly labels?: Readonly<Record<string, string | null>>;
  /** The pod has no labels other than these. */
  readonly hasAllLabels?: true;
  /** Some container of its pod runs privileged. */
  readonly privileged?: boolean;
  /** Its pod shares a namespace of its node, or mounts one of its paths. */
  readonly hostAccess?: boolean;
  /** How its pod can be reached; empty: not at all. */
  readonly exposure?: readonly Exposure[];
  /** How often such alerts came, by the condition that counts them, including this one. */
  readonly counts?: Readonly<Record<string, number>>;
  /** Conditions whose time is over without the expected alert. */
  readonly missing?: readonly string[];
  /** What is new about it for its subject. Absent: nothing, or it cannot be determined. */
  readonly novelty?: AlertNovelty;
}

/** The alert shows something not seen before for its workload. It can only raise how the alert is handled. */
export interface AlertNovelty {
  /** `learning`: new behaviour is expected for a time after a rollout. */
  readonly state: 'novel' | 'learning';
  /** No workload in its namespace or with its image is known to do it. */
  readonly amongPeers?: true;
  /** One sentence for people; it may contain the attacker's words. */
  readonly text: string;
}

/** How a pod is reached: a Service within the cluster, one that is open to the outside (a node's port, a load balancer), an Ingress. */
export type Exposure = 'service' | 'external' | 'ingress';

/**
 * One detection, normalised and redacted. Every text in it is under the attacker's control: escape it wherever it is shown. Unknown fields are absent: never
 * `"<NA>"`, `""` or `null`.
 */
export interface Alert {
  /** Hash of sensor, rule, time text, host and the identifying fields: the same for a redelivery. 32 hex digits. */
  readonly id: string;
  readonly sensor: string;
  readonly rule: string;
  readonly severity: Severity;
  /** The severity in the sensor's own words. */
  readonly priority?: string;
  /** RFC 3339 as the sensor wrote it, including nanoseconds. */
  readonly time: string;
  /** When the intake accepted it, by the intake's clock: ISO 8601, UTC. */
  readonly receivedAt?: string;
  /** The two times are more than 60 s apart: a clock is wrong, or the alert was delayed. A name alone then does not identify a pod. */
  readonly clockSuspect?: true;
  /** Why its claims about its subject are not believed; the pod then has no uid, so nothing automatic is done. */
  readonly doubt?: string;
  readonly title: string;
  readonly cluster: string;
  readonly node?: string;
  readonly pod?: PodRef;
  readonly container?: ContainerRef;
  readonly workload?: WorkloadRef;
  /** From the cell's watch cache. */
  readonly rollout?: RolloutRef;
  readonly process?: ProcessRef;
  /** Only from the API server's audit. */
  readonly apiRequest?: ApiRequest;
  /** Ids of people of the roster whom the alert names as the actor. Set by the cell, never by a sensor. */
  readonly actors?: readonly string[];
  /** Id of the person of the roster who ordered it by hand. Set by the cell. */
  readonly requester?: string;
  /** People released its pod as harmless, possibly in an earlier incident. Set by the cell. */
  readonly decided?: HarmlessDecision;
  /** Set by the cell, never by a sensor. */
  readonly facts?: AlertFacts;
  /** What is done about it, and why. Set by the cell, never by a sensor. */
  readonly assessment?: Assessment;
  /** Ids of the enabled playbooks that it calls for. Set by the cell. */
  readonly calls?: readonly string[];
  /** Ids of the playbooks that it would call for if it had come often enough, or if nothing else had come in time. Set by the cell. */
  readonly countedFor?: readonly string[];
  /** Ids of the playbooks that this alert is repeated for because a time is over: the others have had it already. Set by the cell. */
  readonly againFor?: readonly string[];
  /** Id of the scheduled playbook that is due. Set by the cell. */
  readonly scheduledFor?: string;
  readonly observables: readonly Observable[];
  readonly tags: readonly string[];
  readonly mitre: readonly string[];
}

/** Returns the user names that the alert names as actors: what a sensor saw, and whom the API server authenticated, even when impersonating somebody else. */
export function actorsOf(alert: Alert): readonly string[] {
  const users = alert.observables.filter(({ type }) => type === 'user').map(({ value }) => value);
  const { account, impersonates } = alert.apiRequest ?? {};
  const names = [...users, alert.process?.user, account, impersonates];
  return [...new Set(names.filter((name) => name !== undefined))];
}
