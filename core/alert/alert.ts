import type { HarmlessDecision } from './coverage.ts';
import type { Severity } from './severity.ts';

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  /** Absent until the cell's watch cache has resolved it. Nothing automatic is done to a pod without one. */
  readonly uid?: string;
}

/** What owns the pod, from its owner references; `guessed` when only the pod's name told. */
export interface WorkloadRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly guessed?: true;
}

/** When what runs in the pod was rolled out last, as its ReplicaSet tells. */
export interface RolloutRef {
  readonly revision: string;
  /** ISO 8601, UTC. Absent: an older template was rolled out again, and nothing says when. */
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

/** A request to the API server, as its audit event tells it. */
export interface ApiRequest {
  /** Whom the API server authenticated. */
  readonly account: string;
  /** Whom that account acted as. */
  readonly impersonates?: string;
  readonly verb: string;
  /** What the request says about itself, if it claims to be a step of Firebreak's. Whether it is, only the key tells. */
  readonly stamp?: { readonly request: string; readonly sealed: string };
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** What the cell has found out about an alert, as far as an enabled playbook asks for it. Absent: not known. */
export interface AlertFacts {
  /** Labels of its pod: all of them, or as many as are kept, and those that an enabled playbook asks for; null for one that it does not have. */
  readonly labels?: Readonly<Record<string, string | null>>;
  /** Its pod has no other labels than these. */
  readonly hasAllLabels?: true;
  /** Some container of its pod runs privileged. */
  readonly privileged?: boolean;
  /** By what its pod is reached; empty: by nothing. */
  readonly exposure?: readonly Exposure[];
  /** How often such alerts came, by the condition that counts them: this one included. */
  readonly counts?: Readonly<Record<string, number>>;
  /** Conditions of which the time is over, and what should have come has not. */
  readonly missing?: readonly string[];
  /** What of it is new for whom it is about. Absent: nothing, or it cannot be told. */
  readonly novelty?: AlertNovelty;
}

/** That an alert tells what was not seen before of its workload. It only ever raises how the alert is handled. */
export interface AlertNovelty {
  /** `learning`: what is new is expected for a time, after a rollout. */
  readonly state: 'novel' | 'learning';
  /** None of the workloads of its namespace, or with its image, is known to do it. */
  readonly amongPeers?: true;
  /** One sentence for people, with words that may be the attacker's. */
  readonly text: string;
}

/** By what a pod is reached: a Service within the cluster, one that is open to the outside (a node's port, a load balancer), an Ingress. */
export type Exposure = 'service' | 'external' | 'ingress';

/**
 * One detection, normalised and redacted. Every text in it is the attacker's: escape it wherever it is shown.
 * Absent is absent: never `"<NA>"`, `""` or `null`.
 */
export interface Alert {
  /** Hash of sensor, rule, time text, host and the identifying fields: the same for a redelivery. 32 hex digits. */
  readonly id: string;
  readonly sensor: string;
  readonly rule: string;
  readonly severity: Severity;
  /** How bad the sensor itself called it, in its own words. */
  readonly priority?: string;
  /** RFC 3339 as the sensor wrote it, nanoseconds and all. */
  readonly time: string;
  /** When the intake took it, by the intake's clock: ISO 8601, UTC. */
  readonly receivedAt?: string;
  /** The two are more than 60 s apart: a clock is wrong, or it was long on its way. A name alone then tells no pod. */
  readonly clockSuspect?: true;
  /** Why what it names is not believed; the pod then has no uid, so that nothing automatic is done. */
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
  /** Ids of people of the roster whom it names as the one who did it. Of the cell's making: no sensor says so. */
  readonly actors?: readonly string[];
  /** Id of the person of the roster who has ordered it by hand. Of the cell's making. */
  readonly requester?: string;
  /** That people gave its pod back as harmless, also in an earlier incident. Of the cell's making. */
  readonly decided?: HarmlessDecision;
  /** Of the cell's making: no sensor says so. */
  readonly facts?: AlertFacts;
  /** Ids of the enabled playbooks that it calls for. Of the cell's making. */
  readonly calls?: readonly string[];
  /** Ids of those that it would call for, had it come often enough, or had nothing else come in time. Of the cell's making. */
  readonly countedFor?: readonly string[];
  /** Ids of those that it is told once more for, since a time is over: the others have had it. Of the cell's making. */
  readonly againFor?: readonly string[];
  /** Id of the scheduled playbook whose time has come. Of the cell's making. */
  readonly scheduledFor?: string;
  readonly observables: readonly Observable[];
  readonly tags: readonly string[];
  readonly mitre: readonly string[];
}

/** User names of whom the alert names as having done it: what a sensor saw, and whom the API server authenticated, also behind another's name. */
export function actorsOf(alert: Alert): readonly string[] {
  const users = alert.observables.filter(({ type }) => type === 'user').map(({ value }) => value);
  const { account, impersonates } = alert.apiRequest ?? {};
  const names = [...users, alert.process?.user, account, impersonates];
  return [...new Set(names.filter((name) => name !== undefined))];
}
