import { isDeepStrictEqual } from 'node:util';
import type { Alert } from '../../../core/alert/alert.ts';
import type { Question } from '../../../core/decide/approval.ts';
import type { ControlState, KnownDecisions, OpenProposal } from '../../../core/decide/control.ts';
import { kindOf, nounOf, type Propose, type ProvenDecision, type SignedProposal } from '../../../core/decide/decision.ts';
import { proofOf } from '../../../core/decide/question.ts';
import { signedEndSchema, signedProposalSchema } from '../../../core/orders/order.schema.ts';
import type { SignedEnd } from '../../../core/orders/order.ts';
import {
  type Beliefs,
  type Believed,
  type Checked,
  checkDecided,
  checkEndSignIn,
  checkOrder,
  checkProposed,
} from '../../../core/orders/order-check.ts';
import type { ActivePromotion } from '../../../core/orders/promotion.ts';
import { type ActiveRestraint, type Restrainable, restraintOn } from '../../../core/orders/restraint.ts';
import { type ActiveSuppression, hides, suppressionKey, suppressionKeyOf } from '../../../core/orders/suppression.ts';
import { StateFile } from './state-file.ts';

export interface BookLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

interface DecisionBookOptions {
  /** File that holds the list while Temporal is down. */
  readonly file: string;
  readonly beliefs: () => Beliefs;
  readonly log: BookLog;
}

/** A proposal, and how people are asked about it. */
interface Proposed {
  readonly proposal: SignedProposal;
  readonly question: Question;
}

/** A decision ended by a person, kept until it would have expired: its old proof must not bring it back. */
interface Ended {
  readonly end: SignedEnd;
  readonly until: string;
  /** Set until the control workflow confirms the end: the workflow may be terminated before the order is on record. */
  readonly proposal?: SignedProposal;
}

/** Contents of the file: nothing in it is trusted without its proof. */
interface Stored {
  readonly decided: readonly ProvenDecision[];
  readonly ended: readonly Ended[];
  /** Not decided yet: hides and delays nothing. */
  readonly proposed: readonly Proposed[];
}

/**
 * Decisions above all incidents that this cell trusts: each is verified here, whoever delivered it. One lookup per alert and one per step, from memory. Stored
 * on disk, so that the cell keeps to them while Temporal is down; each expires by the clock.
 */
export class DecisionBook {
  readonly #options: DecisionBookOptions;
  readonly #file: StateFile;
  readonly #refused = new Set<string>();
  #stored: Stored = { decided: [], ended: [], proposed: [] };
  #open: readonly OpenProposal[] = [];
  #suppressions: ReadonlyMap<string, readonly ActiveSuppression[]> = new Map();
  #restraints: readonly ActiveRestraint[] = [];
  #promotions: readonly ActivePromotion[] = [];

  constructor(options: DecisionBookOptions) {
    this.#options = options;
    this.#file = new StateFile(options.file);
    this.#believe(storedIn(this.#file.read()));
  }

  /** The suppression that hides this alert now. */
  hiding(alert: Alert): ActiveSuppression | undefined {
    if (this.#suppressions.size === 0) return undefined;
    const key = suppressionKeyOf(alert);
    const { now } = this.#options.beliefs();
    return key === undefined ? undefined : this.#suppressions.get(key)?.find((one) => hides(one, alert, now));
  }

  /** The strictest restraint on a step now. */
  on(step: Restrainable): ActiveRestraint | undefined {
    return this.#restraints.length === 0 ? undefined : restraintOn(this.#restraints, step, this.#options.beliefs().now);
  }

  /** Pack promotions whose time has come and is not over. */
  promotions(): readonly ActivePromotion[] {
    return this.#promotions;
  }

  /** Returns what was decided under this id, if it is trusted. */
  inForce(id: string): Propose | undefined {
    return this.#stored.decided.find((one) => idOf(one) === id)?.proposal.order;
  }

  /** For a control workflow that has lost everything. */
  decided(): readonly ProvenDecision[] {
    return this.#stored.decided;
  }

  /** The same for proposals not decided yet. */
  proposed(): readonly OpenProposal[] {
    return this.#open;
  }

  /**
   * Applies what the control workflow says now. Anyone who can reach Temporal can make it forget decisions. Those that hold the response up, or lift such a
   * hold, stay until a person ends them or they expire; suppressions end if they are no longer named. Forgotten proposals are kept until the workflow is told
   * about them.
   */
  update(state: ControlState): void {
    const decided: ProvenDecision[] = [];
    const proposed: Proposed[] = [];
    const ended = [...this.#stored.ended];
    for (const { proposal: signed, question, status } of state.decisions) {
      // The token is no longer needed.
      const { idToken: _, ...proposal } = signed;
      const asked = state.questions.find((one) => one.question.id === question);
      const proof = asked && proofOf(asked);
      if (status.state === 'proposed' && asked) proposed.push({ proposal, question: asked.question });
      if (status.state === 'active' && proof) decided.push({ proposal, proof });
      if (status.state === 'ended') ended.push({ end: status.by, until: proposal.order.terms.until });
    }
    const named = new Set(decided.map(idOf));
    const lasting = this.#stored.decided.filter((one) => kindOf(one.proposal.order).outlivesForgetting && !named.has(idOf(one)));
    const told = new Set(state.decisions.map(idOf));
    const forgotten = this.#stored.proposed.filter((one) => !told.has(idOf(one)));
    this.#believe({ decided: [...decided, ...lasting], ended, proposed: [...proposed, ...forgotten] });
  }

  /** Decisions that this cell applies and the control workflow does not know, or contradicts. */
  lostIn({ decisions }: Pick<ControlState, 'decisions'>): Required<Omit<KnownDecisions, 'records'>> {
    const states = new Map(decisions.map(({ proposal, status }) => [proposal.order.terms.id, status.state]));
    const isOneOf = (id: string, ...some: readonly (string | undefined)[]): boolean => some.includes(states.get(id));
    return {
      decided: this.#stored.decided.filter(
        (one) => kindOf(one.proposal.order).outlivesForgetting && isOneOf(idOf(one), undefined, 'proposed'),
      ),
      ended: this.#stored.ended.flatMap(({ end }) => (isOneOf(end.order.decision, 'proposed', 'active') ? [end] : [])),
      proposed: this.#open.filter((one) => isOneOf(idOf(one), undefined)),
      unrecorded: this.#stored.ended.flatMap(({ end, proposal }) =>
        proposal && isOneOf(end.order.decision, undefined) ? [{ end, proposal }] : [],
      ),
    };
  }

  /** Applies a person's order that this cell has verified: it holds even if the control workflow is terminated before confirming it. */
  end(end: SignedEnd): void {
    const { decision } = end.order;
    const known = [...this.#stored.decided, ...this.#stored.proposed].find((one) => idOf(one) === decision);
    if (!known) return;
    const { proposal } = known;
    const ended = { end, until: proposal.order.terms.until, proposal };
    this.#believe({ ...this.#stored, ended: [...this.#stored.ended, ended] });
  }

  #believe({ decided, ended, proposed }: Stored): void {
    const { beliefs: ask, log, file } = this.#options;
    const beliefs = ask();
    const known = new Map([...this.#stored.decided, ...decided].map((one) => [idOf(one), one?.proposal?.order]));
    const ends = new Map(
      ended
        .filter((one) => isEnd(one, beliefs, known.get(one?.end?.order?.decision)))
        .map(({ end: { idToken: _, ...end }, ...rest }) => [endedBy(end), { end, ...rest }]),
    );
    const believed: ProvenDecision[] = [];
    const suppressions = new Map<string, readonly ActiveSuppression[]>();
    const restraints: ActiveRestraint[] = [];
    const promotions: ActivePromotion[] = [];
    for (const one of decided) {
      const checked = checkSafely(one, beliefs);
      const id = idOf(one);
      if (Date.parse(one?.proposal?.order?.terms?.until) <= beliefs.now) continue;
      if (!checked.ok) {
        if (!this.#refused.has(id))
          log.warn({ decision: id, reason: checked.reason }, 'ignored a decision that does not check out');
        this.#refused.add(id);
        continue;
      }
      const { order, approvers, accounts } = checked;
      if (ends.has(`${nounOf(order)} ${id}`)) continue;
      believed.push(one);
      const { person: proposer } = order;
      if (order.kind === 'restraint.propose') restraints.push({ terms: order.terms, proposer, approvers });
      else if (order.kind === 'promotion.propose') promotions.push({ terms: order.terms, proposer, approvers });
      else {
        const key = suppressionKey(order.terms.match);
        suppressions.set(key, [...(suppressions.get(key) ?? []), { terms: order.terms, proposer, approvers, accounts }]);
      }
    }
    this.#suppressions = suppressions;
    this.#restraints = restraints;
    this.#promotions = promotions;
    const { decided: before, ended: endedBefore } = this.#stored;
    const kept: Proposed[] = [];
    const open: OpenProposal[] = [];
    for (const one of proposed) {
      const id = idOf(one);
      const asked = proposedSafely(one, beliefs);
      if (!asked || believed.some((known) => idOf(known) === id) || ends.has(`${nounOf(one.proposal.order)} ${id}`)) continue;
      kept.push(one);
      open.push(asked);
    }
    this.#open = open;
    this.#stored = { decided: believed, ended: [...ends.values()], proposed: kept };
    const written = this.#file.write(this.#stored);
    const hasChanged = !isDeepStrictEqual([before, endedBefore], [this.#stored.decided, this.#stored.ended]);
    // If nothing was decided yet, there is nothing to report.
    if (written === 'written' && hasChanged && !(before.length === 0 && believed.length === 0))
      log.info({ decisions: believed.map(idOf) }, 'freezes, observe modes or suppressions have changed');
    if (written === 'failed')
      log.warn(
        { file },
        'cannot store decisions on disk: after a restart without Temporal there would be no suppression and no freeze',
      );
  }
}

/** Accepts any value, whatever was delivered. */
function idOf(one: { readonly proposal: SignedProposal }): string {
  return String(one?.proposal?.order?.terms?.id).slice(0, 32);
}

function endedBy({ order }: SignedEnd): string {
  return `${nounOf(order)} ${order.decision}`;
}

/** The file and Temporal can contain anything: what cannot even be parsed is not trusted. `ended`: the decision in force that would end. */
function isEnd({ end, until }: Ended, beliefs: Beliefs, ended: Propose | undefined): boolean {
  if (!(Date.parse(until) > beliefs.now) || !signedEndSchema.safeParse(end).success) return false;
  const checked = checkOrder(end, beliefs);
  if (!checked.ok || !beliefs.stepUp) return checked.ok;
  const { policy } = beliefs.stepUp;
  return checkEndSignIn(end, checked.person, { ended, policy, signIn: beliefs.signInOfEnd?.(end) }).ok;
}

function checkSafely(decided: ProvenDecision, beliefs: Beliefs): Checked<Believed> {
  try {
    if (signedProposalSchema.safeParse(decided.proposal).success) return checkDecided(decided, beliefs);
  } catch {
    // Handled below.
  }
  return { ok: false, reason: 'Its format is unknown.' };
}

/** Returns undefined if it does not have the known form, or can no longer be asked. */
function proposedSafely({ proposal, question }: Proposed, beliefs: Beliefs): OpenProposal | undefined {
  try {
    if (!signedProposalSchema.safeParse(proposal).success) return undefined;
    const checked = checkProposed({ proposal, question }, beliefs);
    return checked.ok ? { proposal, ...checked.asked } : undefined;
  } catch {
    return undefined;
  }
}

function storedIn(value: unknown): Stored {
  const { decided, ended, proposed }: Partial<Stored> = typeof value === 'object' && value !== null ? value : {};
  return {
    decided: Array.isArray(decided) ? decided : [],
    ended: Array.isArray(ended) ? ended : [],
    proposed: Array.isArray(proposed) ? proposed : [],
  };
}
