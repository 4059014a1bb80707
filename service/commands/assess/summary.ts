import type { Alert } from '../../../core/alert/alert.ts';
import { type Severity, worse } from '../../../core/alert/severity.ts';
import { type Profile, profiles, type Response } from '../../../core/assessment/response.ts';
import type { PodDecision } from '../../../core/assessment/tally.ts';

/** How often a rule or a workload was in the log, and in what. */
export interface Noisy {
  readonly name: string;
  readonly alerts: number;
  readonly upTo: Severity;
  /** The most frequent rule of a workload, or workload of a rule, with an alert of it. */
  readonly mainly: Alert;
  readonly others: number;
}

export interface ProfileSummary {
  readonly profile: Profile;
  readonly decisions: Readonly<Record<Response, number>>;
  readonly pages: number;
  /** Pages between 22:00 and 6:00 UTC. */
  readonly pagesAtNight: number;
  /** Questions in the eight hours that have the most. */
  readonly questionsInWorst8Hours: number;
  /** By hour of the day, UTC. */
  readonly byHour: readonly { readonly contain: number; readonly ask: number; readonly pages: number }[];
  readonly contained: readonly PodDecision[];
  readonly asked: readonly PodDecision[];
}

class Count {
  alerts = 0;
  upTo: Severity = 'unknown';
  readonly parts = new Map<string, { count: number; readonly alert: Alert }>();

  add(part: string, alert: Alert): void {
    this.alerts += 1;
    this.upTo = worse(this.upTo, alert.severity);
    const known = this.parts.get(part);
    if (known) known.count += 1;
    else if (this.parts.size < mostNames) this.parts.set(part, { count: 1, alert });
  }
}

const mostNames = 20_000;
const mostDecisions = 200_000;

/** Adds up a log, in bounded memory. */
export class Summary {
  readonly #rules = new Map<string, Count>();
  readonly #workloads = new Map<string, Count>();
  readonly #decisions: PodDecision[] = [];
  alerts = 0;
  fromMs = Number.POSITIVE_INFINITY;
  toMs = 0;

  take(alert: Alert, atMs: number, decisions: readonly PodDecision[]): void {
    this.alerts += 1;
    this.fromMs = Math.min(this.fromMs, atMs);
    this.toMs = Math.max(this.toMs, atMs);
    const { workload, node, rule } = alert;
    const place = workload ? `${workload.namespace}/${workload.kind}/${workload.name}` : `node ${node ?? 'unknown'}`;
    countIn(this.#rules, rule)?.add(place, alert);
    countIn(this.#workloads, place)?.add(rule, alert);
    if (this.#decisions.length < mostDecisions) this.#decisions.push(...decisions);
  }

  /** The ten with the most alerts. */
  get rules(): readonly Noisy[] {
    return noisiest(this.#rules);
  }

  get workloads(): readonly Noisy[] {
    return noisiest(this.#workloads);
  }

  of(profile: Profile): ProfileSummary {
    const own = this.#decisions.filter((one) => one.profile === profile);
    const count = (response: Response): number => own.filter((one) => one.response === response).length;
    const asked = own.filter(({ response }) => response === 'ask');
    const paged = asked.filter(({ pages }) => pages);
    const contained = own.filter(({ response }) => response === 'contain');
    const inHour = (all: readonly PodDecision[], hour: number): number => all.filter((one) => hourOf(one) === hour).length;
    return {
      profile,
      decisions: { contain: contained.length, ask: asked.length, file: count('file'), watch: count('watch') },
      pages: paged.length,
      pagesAtNight: paged.filter((one) => hourOf(one) >= 22 || hourOf(one) < 6).length,
      questionsInWorst8Hours: worstOf(asked),
      byHour: Array.from({ length: 24 }, (_, hour) => ({
        contain: inHour(contained, hour),
        ask: inHour(asked, hour),
        pages: inHour(paged, hour),
      })),
      contained,
      asked,
    };
  }

  /** What a live cell would have left, with the guardrails as they are shipped. */
  liveDifferences(profile: Profile): readonly string[] {
    const contained = this.of(profile).contained;
    const isProtected = ({ namespace }: PodDecision): boolean => protectedNamespaces.includes(namespace ?? '');
    const inside = contained.filter(isProtected).length;
    const byNamespace = new Map<string, number[]>();
    for (const one of contained.filter((each) => !isProtected(each))) {
      const times = byNamespace.get(one.namespace ?? '') ?? [];
      byNamespace.set(one.namespace ?? '', [...times, Date.parse(one.at)]);
    }
    const over = [...byNamespace.values()].reduce((sum, times) => sum + overCap(times), 0);
    return [
      ...(inside > 0
        ? [`${inside} of the pods are in protected namespaces (${protectedNamespaces.join(', ')}): a cell asks there`]
        : []),
      ...(over > 0
        ? [`${over} of the pods are beyond the cap of ${namespaceCap} in a namespace within an hour: a cell asks about those`]
        : []),
      'A cell contains at most half of the pods of one owner by itself, and at least one. A log does not say how many pods an owner has.',
      'A cell knows more than a log: privileged pods and access to the node, rollouts, and what people have answered.',
    ];
  }
}

const protectedNamespaces: readonly string[] = ['kube-system', 'kube-public', 'kube-node-lease', 'firebreak'];
const namespaceCap = 20;
const hourMs = 3_600_000;

/** How many of the times have the cap's number of others in the hour before. */
function overCap(times: readonly number[]): number {
  let held: number[] = [];
  let over = 0;
  for (const at of times) {
    held = held.filter((one) => at - one < hourMs);
    if (held.length >= namespaceCap) over += 1;
    else held.push(at);
  }
  return over;
}

function worstOf(asked: readonly PodDecision[]): number {
  const times = asked.map(({ at }) => Date.parse(at)).toSorted((a, b) => a - b);
  let [start, worst] = [0, 0];
  for (const [end, at] of times.entries()) {
    while (at - (times[start] ?? at) >= 8 * hourMs) start += 1;
    worst = Math.max(worst, end - start + 1);
  }
  return worst;
}

function hourOf({ at }: PodDecision): number {
  return new Date(at).getUTCHours();
}

function countIn(counts: Map<string, Count>, name: string): Count | undefined {
  const known = counts.get(name);
  if (known || counts.size >= mostNames) return known;
  const made = new Count();
  counts.set(name, made);
  return made;
}

function noisiest(counts: ReadonlyMap<string, Count>): readonly Noisy[] {
  return [...counts]
    .toSorted(([, one], [, other]) => other.alerts - one.alerts)
    .slice(0, 10)
    .flatMap(([name, { alerts, upTo, parts }]) => {
      const [most] = [...parts.values()].toSorted((one, other) => other.count - one.count);
      return most ? [{ name, alerts, upTo, mainly: most.alert, others: parts.size - 1 }] : [];
    });
}

/** The profiles that were asked for. */
export function chosenProfiles(profile: Profile | undefined): readonly Profile[] {
  return profile === undefined ? profiles : [profile];
}
