import { checkContainment } from '../../core/action/containment-check.ts';
import { type CapKind, defaultGuardrails, type GuardrailRules } from '../../core/action/guardrail.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { subjectOf } from '../../core/alert/subject.ts';
import { Assessor } from '../../core/assessment/assessor.ts';
import { defaultResponse, policyFor, type ResponseRules } from '../../core/assessment/policy.ts';
import { type OwnConfidence, playbookConfidences } from '../../core/assessment/rule-confidence.ts';
import { type Baseline, factsIn, PodStories } from '../../core/assessment/stories.ts';
import type { ErrorCode } from '../../core/errors.ts';
import { incidentIdOf } from '../../core/incident/incident.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { simulatedCellKey } from '../simulated-cell.ts';

/** What is counted of refused containments: a cap, another guardrail's code, or that no playbook may contain. */
type Refusal = `cap of the ${CapKind}` | ErrorCode | 'no playbook may contain' | 'pod not identified';

/** Caps as they are counted. */
export const capKinds: readonly Refusal[] = ['cap of the owner', 'cap of the namespace', 'cap of the cluster'];

/** What would have been done about the pod of one alert. `held`: it was cut off before. */
export type PodOutcome =
  | { readonly done: 'contained' | 'held' | 'asked' | 'paged' | 'filed' | 'watched' }
  | { readonly done: 'refused'; readonly code: ErrorCode; readonly by: Refusal };

/** How often which of it was done. */
export interface PodsDone extends Readonly<Record<Exclude<PodOutcome['done'], 'refused'>, number>> {
  /** The pod would have been cut off, and something kept it from that. */
  readonly refused: Readonly<Record<string, number>>;
}

/** Counts outcomes. */
export class PodTally {
  readonly #counts = { contained: 0, held: 0, asked: 0, paged: 0, filed: 0, watched: 0 };
  readonly #refused = new Map<string, number>();

  add(outcome: PodOutcome): void {
    if (outcome.done === 'refused') this.#refused.set(outcome.by, (this.#refused.get(outcome.by) ?? 0) + 1);
    else this.#counts[outcome.done] += 1;
  }

  done(): PodsDone {
    return { ...this.#counts, refused: Object.fromEntries(this.#refused) };
  }
}

interface OpenIncident {
  lastAt: number;
  readonly held: Set<string>;
}

const mostIncidents = 50_000;
const mostWorkloads = 50_000;
const mostPodsOfOne = 1_000;
/** A pod of which nothing was heard for so long may have been replaced. */
const rememberedMs = 24 * 3_600_000;

/** Assesses past alerts in their order as a cell does, and keeps count of the pods that would be cut off, for the caps. */
export class AssessedPods {
  readonly #assessor: Assessor;
  readonly #rules: GuardrailRules;
  readonly #windowMs: number;
  readonly #quietMs: number;
  readonly #replicas: number | undefined;
  readonly #incidents = new Map<string, OpenIncident>();
  /** Pods by workload, and when an alert last named them. */
  readonly #seen = new Map<string, Map<string, number>>();
  /** Cut off within the window, the oldest first. */
  #recent: { readonly pod: string; readonly namespace: string; readonly at: number }[] = [];

  constructor(options: {
    readonly guardrails?: GuardrailRules;
    readonly capWindowMinutes?: number;
    readonly response?: ResponseRules;
    readonly own?: readonly OwnConfidence[];
    readonly playbooks: readonly Pick<ListedPlaybook, 'id' | 'rules'>[];
    readonly baseline?: Baseline;
    readonly replicas?: number;
    readonly quietMs: number;
  }) {
    const {
      guardrails = defaultGuardrails,
      capWindowMinutes = 60,
      response = defaultResponse,
      baseline,
      replicas,
      quietMs,
    } = options;
    this.#rules = guardrails;
    this.#windowMs = capWindowMinutes * 60_000;
    this.#quietMs = quietMs;
    this.#replicas = replicas;
    this.#assessor = new Assessor({
      stories: new PodStories({
        own: [...(options.own ?? []), ...playbookConfidences(options.playbooks)],
        ...(baseline && { baseline }),
      }),
      policyOf: ({ cluster, pod, facts, calls = [] }) =>
        policyFor(response, { cluster, namespace: pod?.namespace, workloadLabels: facts?.labels, playbooks: calls }),
      key: simulatedCellKey,
      personOf: ({ actors }) => actors?.[0],
    });
  }

  /** The alert with its assessment. @param at milliseconds since 1970 */
  assessed(alert: Alert, at: number): Alert {
    const { pod } = alert;
    this.#note(alert, at);
    const contained = pod !== undefined && this.#openOf(alert, at).held.has(keyOf(pod));
    return this.#assessor.assessed(alert, {
      nowMs: at,
      facts: {
        ...factsIn(alert),
        // How many pods alerts have named says nothing about a workload with only one.
        ...(this.#replicas !== undefined && { replicas: this.#replicas }),
        ...(contained && { contained }),
      },
    });
  }

  /** An alert that comes again because a time is over has been assessed before: it contains nothing. */
  repeated(alert: Alert): Alert {
    const policy = { mode: 'contain', profile: 'balanced', onSilence: 'nothing', scope: 'repeated' } as const;
    return {
      ...alert,
      assessment: { response: 'file', would: 'file', pages: false, wouldPage: false, ...policy, reasons: ['a time is over'] },
    };
  }

  /** What would have been done about its pod. @param mayContain whether a playbook that answers lets the pod be contained */
  take(alert: Alert, { at, mayContain }: { readonly at: number; readonly mayContain: boolean }): PodOutcome {
    const { pod, assessment } = alert;
    const open = this.#openOf(alert, at);
    open.lastAt = at;
    if (pod && open.held.has(keyOf(pod))) return { done: 'held' };
    if (assessment?.response === 'contain') {
      const refused = this.#refusal(alert, open, at);
      if (refused) return { done: 'refused', ...refused };
      return mayContain ? { done: 'contained' } : { done: 'refused', code: 'FB_ERR_ASK_FIRST', by: 'no playbook may contain' };
    }
    if (assessment?.response === 'ask') return { done: assessment.pages ? 'paged' : 'asked' };
    return { done: assessment?.response === 'file' ? 'filed' : 'watched' };
  }

  /** From now on its pod counts as cut off, until its incident is over. */
  hold(alert: Alert, at: number): void {
    const { pod } = alert;
    if (!pod) return;
    this.#openOf(alert, at).held.add(keyOf(pod));
    this.#recent.push({ pod: keyOf(pod), namespace: pod.namespace, at });
  }

  #refusal(alert: Alert, open: OpenIncident, at: number): { readonly code: ErrorCode; readonly by: Refusal } | undefined {
    const { pod } = alert;
    if (pod?.uid === undefined) return { code: 'FB_ERR_ASK_FIRST', by: 'pod not identified' };
    this.#recent = this.#recent.filter((one) => at - one.at < this.#windowMs);
    const others = this.#recent.filter((one) => one.pod !== keyOf(pod));
    const answer = checkContainment(this.#rules, {
      alert,
      pod,
      ownerReplicas: this.#replicasOf(alert, at),
      counts: {
        owner: open.held.size,
        namespace: others.filter(({ namespace }) => namespace === pod.namespace).length,
        cluster: others.length,
      },
    });
    if (answer.ok) return undefined;
    return { code: answer.code, by: answer.cap === undefined ? answer.code : `cap of the ${answer.cap}` };
  }

  #openOf(alert: Alert, at: number): OpenIncident {
    const id = incidentIdOf(subjectOf(alert));
    const known = this.#incidents.get(id);
    const open = known && Math.abs(at - known.lastAt) < this.#quietMs ? known : { lastAt: at, held: new Set<string>() };
    this.#incidents.delete(id);
    this.#incidents.set(id, open);
    forgetOldest(this.#incidents, mostIncidents);
    return open;
  }

  #note(alert: Alert, at: number): void {
    const { pod } = alert;
    if (!pod) return;
    const key = workloadOf(alert);
    const pods = this.#seen.get(key) ?? new Map<string, number>();
    pods.set(keyOf(pod), at);
    forgetOldest(pods, mostPodsOfOne);
    this.#seen.delete(key);
    this.#seen.set(key, pods);
    forgetOldest(this.#seen, mostWorkloads);
  }

  #replicasOf(alert: Alert, at: number): number | undefined {
    const { workload } = alert;
    if (!workload || workload.guessed) return undefined;
    const pods = this.#seen.get(workloadOf(alert))?.values() ?? [];
    return this.#replicas ?? [...pods].filter((last) => at - last < rememberedMs).length;
  }
}

function keyOf({ uid, namespace, name }: NonNullable<Alert['pod']>): string {
  return uid ?? `${namespace}/${name}`;
}

function workloadOf(alert: Alert): string {
  return incidentIdOf(subjectOf(alert));
}

function forgetOldest(all: Map<string, unknown>, most: number): void {
  if (all.size > most) for (const oldest of all.keys()) if (all.delete(oldest)) return;
}
