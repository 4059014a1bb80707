import type { Plan } from '../action/plan.ts';
import { digestOf } from '../text/digest.ts';
import type { DecisionKind, Order, Terms } from './order.ts';

/** How far a version of a pack goes: it is only looked on, or each incident begins with it. */
export const promotionStages = ['observe', 'all'] as const;
type PromotionStage = (typeof promotionStages)[number];

export interface PromotionTerms extends Terms {
  readonly pack: string;
  /** Of the pack: `1.2.0`. */
  readonly release: string;
  /** Of its code: a version of the same name that is other code is not meant. */
  readonly integrity: string;
  readonly stage: PromotionStage;
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
/** What runs is not to end by itself. */
export const longestPromotedMs = 3_650 * dayMs;

export function releaseText({ pack, release }: Pick<PromotionTerms, 'pack' | 'release'>): string {
  return `${pack}@${release}`;
}

const does: Readonly<Record<PromotionStage, string>> = {
  observe: 'is tried on the alerts that come, in a simulation: nothing is done',
  all: 'runs in every incident that begins from now on',
};

function promotionPlan(terms: PromotionTerms): Plan {
  const { owner, reason, from, until, id, stage, integrity, widens } = terms;
  const name = releaseText(terms);
  return {
    action: 'promote',
    effect: 'reversible',
    reach: 'cluster',
    target: { name: `promotion/${id}` },
    changes: [{ target: `pack/${name}`, what: does[stage] }],
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
  const { stage, from, until, cluster } = terms;
  const name = releaseText(terms);
  const observes = stage === 'observe';
  return {
    noun: 'promotion',
    name: 'Promotion',
    title: observes ? `observe ${name}` : `promote ${name}`,
    severity: 'high',
    question: observes ? `Observe ${name}, until ${until}?` : `Let ${name} run in every incident?`,
    plan: promotionPlan(terms),
    longest: observes ? { what: 'To observe a version', ms: longestObservedMs } : { what: 'A promotion', ms: longestPromotedMs },
    problem: undefined,
    // Else who reaches Temporal brings the version before back.
    outlivesForgetting: true,
    begun: `${name} ${does[stage]}`,
    over: observes ? `${name} is no longer observed` : `${name} is not promoted any more: what was promoted before it runs again`,
    nothing: 'what runs stays as it is',
    onSilence: 'What runs stays as it is.',
    happened: {
      rule: `${name} ${does[stage]}`,
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

/** What was decided about a pack, as of now: which version runs, and which is looked on. */
interface Promoted {
  readonly live?: PromotionTerms;
  /** Absent where it was promoted since. */
  readonly observed?: PromotionTerms;
}

/** Of several the newest counts: a rollback ends it, and the one before counts again. `now`: milliseconds since 1970. */
export function promotedOf(pack: string, active: readonly PromotionTerms[], now: number): Promoted {
  const newest = (wanted: PromotionStage): PromotionTerms | undefined =>
    active
      .filter(
        ({ pack: of, stage, from, until }) =>
          of === pack && stage === wanted && Date.parse(from) <= now && now < Date.parse(until),
      )
      .sort((a, b) => Date.parse(b.from) - Date.parse(a.from) || (a.id < b.id ? -1 : 1))[0];
  const live = newest('all');
  const observed = newest('observe');
  const isPast = observed && live && (observed.integrity === live.integrity || Date.parse(observed.from) < Date.parse(live.from));
  return { ...(live && { live }), ...(observed && !isPast && { observed }) };
}
