import type { Alert } from '../alert/alert.ts';
import { type Act, actOf, isSameAct } from './acts.ts';
import type { Familiarity, PodStory } from './assessment.ts';
import { Familiar, settlingMs } from './familiar.ts';
import { type OwnConfidence, ruleConfidence } from './rule-confidence.ts';

/** Acts within this time belong together. */
const togetherMs = 5 * 60_000;
const mostPods = 20_000;
const mostActs = 16;
/** A combination of acts is known only from this many other pods: one attacked pod alone cannot teach it. */
const podsForTogether = 2;

/** What the cell knows of the pod from elsewhere. */
export type PodFacts = Omit<
  PodStory,
  'alert' | 'confidence' | 'confidenceWhy' | 'isDebugging' | 'isDecoy' | 'acts' | 'novelty' | 'together' | 'isRepeated'
>;

/** What the alert itself says of its pod: the cell has written it onto it. */
export function factsIn({ facts, workload }: Pick<Alert, 'facts' | 'workload'>): PodFacts {
  return {
    ...(facts?.privileged !== undefined && { privileged: facts.privileged }),
    ...(facts?.hostAccess !== undefined && { hostAccess: facts.hostAccess }),
    ...(workload && { ownerKind: workload.kind }),
  };
}

export interface Heard {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly facts?: PodFacts;
}

/** State for a restart, as plain JSON. */
interface StoriesState {
  readonly version: 1;
  readonly familiar: ReturnType<Familiar['entries']>;
  readonly pods: readonly (readonly [string, readonly Act[]])[];
}

/** What is normal, learned from a log: plain JSON that an operator can read and cut. */
export interface Baseline {
  readonly version: 1;
  readonly from?: string;
  readonly to?: string;
  readonly alerts: number;
  readonly known: readonly string[];
}

/** Remembers what was done in which pod, and what is familiar. The same in a cell, in `firebreak assess`, in tests and in simulations. */
export class PodStories {
  readonly #familiar = new Familiar();
  readonly #pods = new Map<string, Act[]>();
  readonly #own: readonly OwnConfidence[];

  constructor({ own = [], baseline }: { readonly own?: readonly OwnConfidence[]; readonly baseline?: Baseline } = {}) {
    this.#own = own;
    for (const key of baseline?.known ?? []) this.#familiar.addBaseline(key);
  }

  /** Adds an alert, and returns all that is known of its pod now. */
  hear(alert: Alert, { nowMs, facts = {} }: Heard): PodStory {
    const judgement = ruleConfidence(alert, this.#own);
    const { confidence, why, isDebugging = false, isDecoy } = judgement;
    const act = actOf(alert, nowMs, judgement);
    const pod = podKey(alert);
    const isBelieved = alert.doubt === undefined;
    const acts = this.#actsOf(pod, act, isBelieved);
    const places = placesOf(alert);
    const single = this.#compare(places, { act: act.key, pod, nowMs, pods: 1 });
    const first = Math.min(
      ...places.map((place) => this.#familiar.first(`${place} | ${act.key}`, pod) ?? Number.POSITIVE_INFINITY),
    );
    const others = acts.filter((one) => one.confidence !== 'weak' && one !== acts.at(-1));
    const narrow = narrowPlacesOf(alert);
    const pairs = confidence === 'weak' ? [] : others.map((other) => ({ other, key: pairKey(other.key, act.key) }));
    const seenTogether = pairs.map(({ other, key }) => {
      const by = this.#compare(narrow, { act: key, pod, nowMs, pods: podsForTogether });
      // Whether two usual acts fall within five minutes is chance.
      const eachUsual = [other.key, act.key].every(
        (one) => this.#compare(places, { act: one, pod, nowMs, pods: 1 }) === 'baseline',
      );
      const usual = by === 'baseline' || eachUsual ? 'baseline' : by;
      return usual === 'baseline' && (act.isSession || acts.some((one) => one.isSession)) ? 'others' : usual;
    });
    // Alerts in doubt teach nothing: whoever sends them could name any pod.
    if (isBelieved) {
      for (const place of places) this.#familiar.add(`${place} | ${act.key}`, { pod, nowMs });
      for (const place of narrow) for (const { key } of pairs) this.#familiar.add(`${place} | ${key}`, { pod, nowMs });
    }
    return {
      ...facts,
      alert,
      confidence,
      confidenceWhy: why,
      isDebugging,
      ...(isDecoy && { isDecoy }),
      acts,
      novelty: { isNew: single === 'new', by: single, comparedWith: comparedText(alert, single) },
      ...(seenTogether.length > 0 && { together: leastKnown(seenTogether) }),
      ...(first <= nowMs - settlingMs && { isRepeated: true }),
    };
  }

  /** People have called the pod attacked: what was seen there is no longer familiar anywhere. */
  unlearn(pod: { readonly namespace: string; readonly name: string; readonly uid?: string }, cluster: string): void {
    this.#familiar.unlearn(`${cluster} ${pod.uid ?? `${pod.namespace}/${pod.name}`}`);
  }

  /** All that was seen, for a file that others start from. */
  baseline(read: Omit<Baseline, 'version' | 'known'>): Baseline {
    return { version: 1, ...read, known: this.#familiar.keys().toSorted() };
  }

  state(): StoriesState {
    return { version: 1, familiar: this.#familiar.entries(), pods: [...this.#pods] };
  }

  restore({ familiar, pods }: StoriesState): void {
    this.#familiar.restore(familiar);
    for (const [pod, acts] of pods) this.#pods.set(pod, [...acts]);
  }

  #compare(
    places: readonly string[],
    { act, pod, nowMs, pods }: { readonly act: string; readonly pod: string; readonly nowMs: number; readonly pods: number },
  ): Familiarity {
    const found = places.map((place) => this.#familiar.ask(`${place} | ${act}`, { pod, nowMs }));
    if (found.includes('baseline')) return 'baseline';
    return found.some((count) => typeof count === 'number' && count >= pods) ? 'others' : 'new';
  }

  /** The distinct acts of the last five minutes, with the newest last. */
  #actsOf(pod: string, act: Act, isBelieved: boolean): readonly Act[] {
    const before = (this.#pods.get(pod) ?? []).filter(({ atMs }) => Math.abs(act.atMs - atMs) <= togetherMs);
    const distinct = before.filter((one) => !isSameAct(one, act));
    const same = before.find((one) => isSameAct(one, act));
    // A process that two rules report keeps the surer one.
    const newest = same && same.confidence === 'likely' && act.confidence === 'weak' ? { ...same, atMs: act.atMs } : act;
    const acts = [...distinct.slice(-(mostActs - 1)), newest];
    // Alerts in doubt would push out what is known of other pods, and make second acts of nothing.
    if (!isBelieved) return acts;
    this.#pods.delete(pod);
    this.#pods.set(pod, acts);
    if (this.#pods.size > mostPods)
      for (const oldest of this.#pods.keys()) {
        this.#pods.delete(oldest);
        break;
      }
    return acts;
  }
}

function podKey({ cluster, pod, node }: Alert): string {
  return pod ? `${cluster} ${pod.uid ?? `${pod.namespace}/${pod.name}`}` : `${cluster} node ${node ?? ''}`;
}

/** Where an act is familiar: on the pods of the same workload, and of the same image wherever it runs. */
function placesOf(alert: Alert): readonly string[] {
  const { cluster, pod, node } = alert;
  if (!pod) return [`${cluster} node ${node ?? ''}`];
  const image = imageOf(alert);
  return [workloadKey(alert), ...(image === undefined ? [] : [`image ${image}`])];
}

/** Somebody who may start pods in one namespace must not teach combinations in another. */
function narrowPlacesOf(alert: Alert): readonly string[] {
  const image = imageOf(alert);
  return [
    workloadKey(alert),
    ...(image === undefined || !alert.pod ? [] : [`image ${image} in ${alert.cluster} ${alert.pod.namespace}`]),
  ];
}

function workloadKey({ cluster, workload, pod }: Alert): string {
  if (workload) {
    // Each run of a CronJob has a Job of its own, named after the minute of the run.
    const { namespace, kind, name } = workload;
    const run = kind === 'Job' ? /^(.+)-\d{8}$/.exec(name)?.[1] : undefined;
    return run === undefined ? `${cluster} ${namespace}/${kind}/${name}` : `${cluster} ${namespace}/CronJob/${run}`;
  }
  return `${cluster} ${pod?.namespace ?? ''}/Pod/${pod?.name ?? ''}`;
}

function imageOf({ container }: Alert): string | undefined {
  return container?.image === undefined ? undefined : repositoryOf(container.image);
}

/** Without tag and digest: a new release of the same image is no stranger. */
function repositoryOf(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

/**
 * What people's answers about an alert are remembered by: rule, program, image and owner. Undefined if one of them is not known.
 * @param image as the cluster says: a sensor's claim could borrow the answers of another one
 */
export function answerKeyOf(alert: Alert, image: string | undefined): string | undefined {
  const { process, workload, doubt } = alert;
  if (
    image === undefined ||
    !workload ||
    workload.guessed ||
    doubt !== undefined ||
    (process?.name ?? process?.exe) === undefined
  )
    return undefined;
  const { key } = actOf(alert, 0, { confidence: 'weak', why: '', source: '' });
  return `${workloadKey(alert)} | image ${repositoryOf(image)} | ${key}`;
}

function pairKey(one: string, other: string): string {
  return one < other ? `${one} + ${other}` : `${other} + ${one}`;
}

function leastKnown(all: readonly Familiarity[]): Familiarity {
  if (all.includes('new')) return 'new';
  return all.includes('others') ? 'others' : 'baseline';
}

function comparedText(alert: Alert, by: Familiarity): string {
  const image = imageOf(alert);
  const where = alert.pod
    ? `${alert.workload ? `${alert.workload.namespace}/${alert.workload.name}` : alert.pod.name}${image === undefined ? '' : ` and other pods of ${image}`}`
    : `node ${alert.node ?? 'unknown'}`;
  if (by === 'baseline') return `known from the baseline of ${where}`;
  return by === 'others' ? `seen before on another pod, compared with ${where}` : `new, compared with ${where}`;
}
