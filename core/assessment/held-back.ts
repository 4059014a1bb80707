import { checkContainment } from '../action/containment-check.ts';
import type { GuardrailRules } from '../action/guardrail.ts';
import type { Alert } from '../alert/alert.ts';
import { subjectOf } from '../alert/subject.ts';
import { type Level, lastsMs } from '../decide/approval.ts';
import { incidentIdOf } from '../incident/incident.ts';
import type { ActiveRestraint } from '../orders/restraint.ts';
import { type AnyPlaybook, levelsOf } from '../playbook/playbook.ts';

/** A pod that is cut off, or that mode `contain` would have cut off. */
export interface CountedPod {
  readonly uid: string;
  readonly namespace: string;
  /** Id of its incident. */
  readonly incident: string;
  /** When it was cut off, milliseconds since 1970. */
  readonly at: number;
}

interface Containing {
  readonly rules: GuardrailRules;
  /** Those that answer the alert. */
  readonly playbooks: readonly Pick<AnyPlaybook, 'contains'>[];
  /** The pods that count under the caps, without the alert's own. */
  readonly counted?: readonly CountedPod[];
  /** Number of pods of the alert's workload. Absent: unknown. */
  readonly ownerReplicas?: number | undefined;
  readonly restraint?: ActiveRestraint | undefined;
}

/** Why the pod of an alert that the assessment says is to be cut off would not be, in mode `contain`. The only place that says so before the chokepoint does. */
export function whyHeldBack(
  alert: Alert,
  { rules, playbooks, counted = [], ownerReplicas, restraint }: Containing,
): string | undefined {
  const { pod } = alert;
  if (!pod) return 'it is not about a pod';
  if (pod.uid === undefined) return 'it is not known which pod it is';
  if (!playbooks.some(({ contains }) => contains === 'pod')) return 'no playbook that answers may contain it';
  const incident = incidentIdOf(subjectOf(alert));
  const answer = checkContainment(rules, {
    alert,
    pod,
    restraint,
    ownerReplicas,
    counts: {
      owner: counted.filter((one) => one.incident === incident && one.namespace === pod.namespace).length,
      namespace: counted.filter(({ namespace }) => namespace === pod.namespace).length,
      cluster: counted.length,
    },
  });
  return answer.ok ? undefined : answer.reason;
}

/** More are never cut off at once: the caps end at a thousand pods. */
const mostCounted = 10_000;

/**
 * Counts the pods that mode `contain` would have cut off, as if it had: the caps would have held back the others. Without it, a storm in mode `ask` would promise
 * more than mode `contain` does.
 */
export class HeldBack {
  readonly #parts: HeldBackParts;
  #counted = new Map<string, CountedPod>();

  constructor(parts: HeldBackParts) {
    this.#parts = parts;
  }

  /** Why the pod would not be cut off. Undefined: it would be, and from now on it counts. @param nowMs milliseconds since 1970 */
  why(alert: Alert, nowMs: number): string | undefined {
    const why = this.refusal(alert, nowMs);
    const uid = alert.pod?.uid;
    if (why === undefined && alert.pod && uid !== undefined && !this.#counted.has(uid) && this.#counted.size < mostCounted) {
      const incident = incidentIdOf(subjectOf(alert));
      this.#counted.set(uid, { uid, namespace: alert.pod.namespace, incident, at: nowMs });
    }
    return why;
  }

  /** Why the pod would not be cut off now. It counts only once it is. */
  refusal(alert: Alert, nowMs: number): string | undefined {
    const { rules, windowMs, playbooksOf, podsOf, held, restraintOn } = this.#parts;
    const uid = alert.pod?.uid;
    const since = nowMs - windowMs;
    for (const [key, { at }] of this.#counted) if (at <= since) this.#counted.delete(key);
    // It has its place already.
    if (uid !== undefined && this.#counted.has(uid)) return undefined;
    const all = new Map([...held().map((one) => [one.uid, one] as const), ...this.#counted]);
    const playbooks = playbooksOf(alert);
    const containing = playbooks.find(({ contains }) => contains === 'pod');
    return whyHeldBack(alert, {
      rules,
      playbooks,
      counted: [...all.values()].filter((one) => one.uid !== uid && one.at > since),
      ownerReplicas: alert.workload?.guessed ? undefined : podsOf(alert),
      restraint: containing && restraintOn?.(alert, containing),
    });
  }

  /** The shortest time that the playbooks which may contain the pod give people to answer, in milliseconds; infinite, if there are none. */
  waitMs(alert: Alert): number {
    const { playbooksOf, levels } = this.#parts;
    const asking = playbooksOf(alert).filter(({ contains }) => contains === 'pod');
    return Math.min(...asking.map((playbook) => lastsMs(levelsOf(playbook, alert.severity, levels))));
  }

  state(): readonly CountedPod[] {
    return [...this.#counted.values()];
  }

  restore(counted: readonly CountedPod[]): void {
    this.#counted = new Map(counted.map((one) => [one.uid, one]));
  }
}

interface HeldBackParts {
  readonly rules: GuardrailRules;
  /** Containments older than this no longer count, milliseconds. */
  readonly windowMs: number;
  /** Those that answer the alert. */
  readonly playbooksOf: (alert: Alert) => readonly AnyPlaybook[];
  /** Whom playbooks without levels of their own ask. */
  readonly levels: readonly Level[];
  /** Number of pods of the alert's workload, if known. */
  readonly podsOf: (alert: Alert) => number | undefined;
  /** Pods that are really cut off. */
  readonly held: () => readonly CountedPod[];
  /** What people have ordered about such a step. Absent: nothing is known of orders. */
  readonly restraintOn?: (alert: Alert, playbook: AnyPlaybook) => ActiveRestraint | undefined;
}
