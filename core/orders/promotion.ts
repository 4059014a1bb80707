import type { Plan } from '../action/plan.ts';
import { digestOf } from '../text/digest.ts';
import type { DecisionKind, Order, Terms } from './order.ts';

/** How widely a version of a pack is used: it only observes, it handles some new incidents, or it handles all of them. */
export const promotionStages = ['observe', 'percent', 'all'] as const;
type PromotionStage = (typeof promotionStages)[number];

export interface PromotionTerms extends Terms {
  readonly pack: string;
  /** The pack's version: `1.2.0`. */
  readonly release: string;
  /** Digest of its code: a version of the same name with other code is not meant. */
  readonly integrity: string;
  readonly stage: PromotionStage;
  /** Percentage of new incidents that start with it: 1 to 99. Only for the stage `percent`. */
  readonly percent?: number;
  /**
   * What it may do that the previous version could not, for the voters. The cell computes the list again from both envelopes, and rejects a proposal with a
   * different one.
   */
  readonly widens: readonly string[];
}

/**
 * Lets a version of a pack run. Its code was written by somebody, and only reading it shows what a body does within its envelope: it takes a second person,
 * whether it widens anything or not.
 */
export interface ProposePromotion extends Order {
  readonly kind: 'promotion.propose';
  readonly terms: PromotionTerms;
}

const dayMs = 86_400_000;
/** A version that is observed for ever is forgotten. */
export const longestObservedMs = 30 * dayMs;
/** Two versions at once give two answers to the same attack, so this must end. */
export const longestRampedMs = 30 * dayMs;
/** A running version should not end by itself. */
export const longestPromotedMs = 3_650 * dayMs;

export function releaseText({ pack, release }: Pick<PromotionTerms, 'pack' | 'release'>): string {
  return `${pack}@${release}`;
}

/** `10 % of the incidents`. */
function shareOf({ percent = 0 }: Pick<PromotionTerms, 'percent'>): string {
  return `${percent} % of the incidents`;
}

function doesOf(terms: PromotionTerms): string {
  switch (terms.stage) {
    case 'observe':
      return 'is simulated on incoming alerts: nothing is done';
    case 'percent':
      return `runs in ${shareOf(terms)} that begin from now on`;
    case 'all':
      return 'runs in every incident that begins from now on';
  }
}

interface StageWords {
  readonly title: string;
  readonly question: string;
  readonly longest: DecisionKind['longest'];
  readonly over: string;
}

function wordsOf(terms: PromotionTerms): StageWords {
  const { stage, until } = terms;
  const name = releaseText(terms);
  switch (stage) {
    case 'observe':
      return {
        title: `observe ${name}`,
        question: `Observe ${name}, until ${until}?`,
        longest: { what: 'Observing a version', ms: longestObservedMs },
        over: `${name} is no longer observed`,
      };
    case 'percent':
      return {
        title: `promote ${name} for ${shareOf(terms)}`,
        question: `Let ${name} run in ${shareOf(terms)}, until ${until}?`,
        longest: { what: 'Running a version in some incidents', ms: longestRampedMs },
        over: `new incidents no longer start with ${name} because of it`,
      };
    case 'all':
      return {
        title: `promote ${name}`,
        question: `Let ${name} run in every incident?`,
        longest: { what: 'A promotion', ms: longestPromotedMs },
        over: `${name} is no longer promoted: the previous version runs again, or none`,
      };
  }
}

function promotionPlan(terms: PromotionTerms): Plan {
  const { owner, reason, from, until, id, integrity, widens } = terms;
  const name = releaseText(terms);
  return {
    action: 'promote',
    effect: 'reversible',
    reach: 'cluster',
    target: { name: `promotion/${id}` },
    changes: [{ target: `pack/${name}`, what: doesOf(terms) }],
    blastRadius: [`pack/${name}`],
    notes: [
      ...(widens.length === 0 ? ['its envelopes allow nothing that the previous version did not'] : widens),
      `its code is ${integrity}`,
      `from ${from} until ${until}`,
      `${owner} is responsible for it`,
      `reason: ${reason}`,
    ],
    inputDigest: digestOf(terms),
  };
}

export function promotionKind({ terms, via }: ProposePromotion): DecisionKind {
  const { from, cluster } = terms;
  const begun = `${releaseText(terms)} ${doesOf(terms)}`;
  return {
    noun: 'promotion',
    name: 'Promotion',
    ...wordsOf(terms),
    severity: 'high',
    plan: promotionPlan(terms),
    problem: undefined,
    // Otherwise anyone who can reach Temporal could bring back the previous version.
    outlivesForgetting: true,
    begun,
    nothing: 'what runs stays as it is',
    onSilence: 'What runs stays as it is.',
    happened: {
      rule: begun,
      sensor: via === 'slack' ? 'Slack' : 'the command line',
      at: from,
      count: 0,
      pod: `the whole cluster ${cluster}`,
    },
  };
}

/** A promotion that passed the checks. */
export interface ActivePromotion {
  readonly terms: PromotionTerms;
  readonly proposer: string;
  readonly approvers: readonly string[];
}

/** The current decisions about a pack: which version runs, which one runs in some incidents besides it, and which one is observed. */
interface Promoted {
  readonly live?: PromotionTerms;
  /** Absent if it, or another version, has been promoted to all incidents since. */
  readonly ramping?: PromotionTerms;
  /** Absent if it has been promoted since. */
  readonly observed?: PromotionTerms;
}

/** The newest one counts: a rollback ends it, and the previous one counts again. `now`: milliseconds since 1970. */
export function promotedOf(pack: string, active: readonly PromotionTerms[], now: number): Promoted {
  const newest = (wanted: PromotionStage): PromotionTerms | undefined =>
    newestOf(
      active.filter(
        ({ pack: of, stage, from, until }) =>
          of === pack && stage === wanted && Date.parse(from) <= now && now < Date.parse(until),
      ),
    );
  const isPast = (one: PromotionTerms, since: PromotionTerms | undefined): boolean =>
    since !== undefined && (one.integrity === since.integrity || Date.parse(one.from) < Date.parse(since.from));
  const live = newest('all');
  const [ramped, observed] = [newest('percent'), newest('observe')];
  const ramping = ramped && !isPast(ramped, live) ? ramped : undefined;
  const runsBeside = observed !== undefined && observed.integrity === ramping?.integrity;
  return {
    ...(live && { live }),
    ...(ramping && { ramping }),
    ...(observed && !isPast(observed, live) && !runsBeside && { observed }),
  };
}

/** The one pack among these of which two versions run: one at a time, by the newest order. */
export function rampingOf(packs: readonly string[], active: readonly PromotionTerms[], now: number): PromotionTerms | undefined {
  return newestOf(packs.flatMap((pack) => promotedOf(pack, active, now).ramping ?? []));
}

/** Whether both promote the same version to the same extent: proposing it again refers to the pending proposal. */
export function isSamePromotion(one: PromotionTerms, other: PromotionTerms): boolean {
  const { pack, integrity, stage, percent } = one;
  return other.pack === pack && other.integrity === integrity && other.stage === stage && other.percent === percent;
}

/**
 * Whether a proposal lapses when this promotion is approved: its list compares it with a previous version that is now replaced; or the newer of two orders
 * counts, and the proposal is the older.
 */
export function fallsWhenBegun(proposed: PromotionTerms, begun: PromotionTerms): boolean {
  // Only one pack at a time may have two versions.
  if (proposed.stage === 'percent' && begun.stage === 'percent') return true;
  return proposed.pack === begun.pack && (begun.stage !== 'observe' || proposed.stage === 'observe');
}

/** Whether a proposal lapses when this promotion ends: it was proposed, and is shown to people, in comparison with the version that this promotion ran. */
export function fallsWhenEnded(proposed: PromotionTerms, ended: PromotionTerms): boolean {
  return proposed.pack === ended.pack && ended.stage !== 'observe';
}

function newestOf(terms: readonly PromotionTerms[]): PromotionTerms | undefined {
  return [...terms].sort((a, b) => Date.parse(b.from) - Date.parse(a.from) || (a.id < b.id ? -1 : 1))[0];
}
