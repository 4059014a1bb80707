import type { Plan } from '../action/plan.ts';
import { digestOf } from '../text/digest.ts';
import type { DecisionKind, Order, Terms } from './order.ts';

/** How far a version of a pack goes: it is only looked on, some incidents begin with it, or each does. */
export const promotionStages = ['observe', 'percent', 'all'] as const;
type PromotionStage = (typeof promotionStages)[number];

export interface PromotionTerms extends Terms {
  readonly pack: string;
  /** Of the pack: `1.2.0`. */
  readonly release: string;
  /** Of its code: a version of the same name that is other code is not meant. */
  readonly integrity: string;
  readonly stage: PromotionStage;
  /** Of a hundred incidents that begin, how many begin with it: 1 to 99. Of the stage `percent` alone. */
  readonly percent?: number;
  /**
   * What it may do that the version before might not, for who votes. The cell makes the list anew from both envelopes, and takes no proposal with
   * another one.
   */
  readonly widens: readonly string[];
}

/**
 * Lets a version of a pack run. Its code is somebody’s, and what a body does with what its envelope may nobody sees but who reads it: it takes a second
 * person, whether it widens anything or not.
 */
export interface ProposePromotion extends Order {
  readonly kind: 'promotion.propose';
  readonly terms: PromotionTerms;
}

const dayMs = 86_400_000;
/** To be looked on for ever is to be forgotten. */
export const longestObservedMs = 30 * dayMs;
/** Two versions for ever are two answers to the same attack. */
export const longestRampedMs = 30 * dayMs;
/** What runs is not to end by itself. */
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
      return 'is tried on the alerts that come, in a simulation: nothing is done';
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
        longest: { what: 'To observe a version', ms: longestObservedMs },
        over: `${name} is no longer observed`,
      };
    case 'percent':
      return {
        title: `promote ${name} for ${shareOf(terms)}`,
        question: `Let ${name} run in ${shareOf(terms)}, until ${until}?`,
        longest: { what: 'To run a version in some incidents', ms: longestRampedMs },
        over: `no incident begins with ${name} because of it any more`,
      };
    case 'all':
      return {
        title: `promote ${name}`,
        question: `Let ${name} run in every incident?`,
        longest: { what: 'A promotion', ms: longestPromotedMs },
        over: `${name} is not promoted any more: the version before it runs again, or none`,
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
      ...(widens.length === 0 ? ['its envelopes may do nothing that the version before might not'] : widens),
      `its code is ${integrity}`,
      `from ${from} until ${until}`,
      `${owner} answers for it`,
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
    // Else who reaches Temporal brings the version before back.
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

/** A promotion that was checked. */
export interface ActivePromotion {
  readonly terms: PromotionTerms;
  readonly proposer: string;
  readonly approvers: readonly string[];
}

/** What was decided about a pack, as of now: which version runs, which runs in some incidents beside it, and which is looked on. */
interface Promoted {
  readonly live?: PromotionTerms;
  /** Absent where it, or another one, runs in all incidents since. */
  readonly ramping?: PromotionTerms;
  /** Absent where it was promoted since. */
  readonly observed?: PromotionTerms;
}

/** Of several the newest counts: a rollback ends it, and the one before counts again. `now`: milliseconds since 1970. */
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

/** Of these packs the one of which two versions run: one at a time, by the newest order. */
export function rampingOf(packs: readonly string[], active: readonly PromotionTerms[], now: number): PromotionTerms | undefined {
  return newestOf(packs.flatMap((pack) => promotedOf(pack, active, now).ramping ?? []));
}

/** The same version, as far: whoever proposes it while it is proposed means that proposal. */
export function isSamePromotion(one: PromotionTerms, other: PromotionTerms): boolean {
  const { pack, integrity, stage, percent } = one;
  return other.pack === pack && other.integrity === integrity && other.stage === stage && other.percent === percent;
}

/**
 * Whether a proposal falls once this one is agreed to: its list says what it may do that the version before might not, which is another one now; or the newer of two
 * orders counts, and it is the older.
 */
export function fallsWhenBegun(proposed: PromotionTerms, begun: PromotionTerms): boolean {
  // One pack at a time has two versions.
  if (proposed.stage === 'percent' && begun.stage === 'percent') return true;
  return proposed.pack === begun.pack && (begun.stage !== 'observe' || proposed.stage === 'observe');
}

/** Whether a proposal falls once this promotion is ended: it was proposed, and is shown to people, against what ran by it. */
export function fallsWhenEnded(proposed: PromotionTerms, ended: PromotionTerms): boolean {
  return proposed.pack === ended.pack && ended.stage !== 'observe';
}

function newestOf(terms: readonly PromotionTerms[]): PromotionTerms | undefined {
  return [...terms].sort((a, b) => Date.parse(b.from) - Date.parse(a.from) || (a.id < b.id ? -1 : 1))[0];
}
