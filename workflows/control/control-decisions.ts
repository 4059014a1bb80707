import type { DeskActivities } from '../../core/action/step.ts';
import { claimedBy } from '../../core/audit/audit.ts';
import type { QuestionPost } from '../../core/cards/question-card.ts';
import type { ControlActivities, KnownDecisions, OpenProposal, OrderAnswer, UnrecordedEnd } from '../../core/decide/control.ts';
import {
  type DecisionState,
  isEnd,
  isProposal,
  kindOf,
  nounOf,
  type ProvenDecision,
  type SignedProposal,
} from '../../core/decide/decision.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { deadlineOrderDone, deadlineOrderText, isDeadlineOrder } from '../../core/orders/deadline-order.ts';
import { approveChoice, type SignedEnd } from '../../core/orders/order.ts';
import {
  fallsWhenBegun,
  fallsWhenEnded,
  isSamePromotion,
  type PromotionTerms,
  releaseText,
} from '../../core/orders/promotion.ts';
import { holdScopeText, recordOrderDone } from '../../core/orders/record-hold.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { bareVotes } from '../incident/cards.ts';
import type { CountedVote } from '../questions/votes.ts';
import { nowMs, timeNow } from '../world.ts';
import { ControlCards } from './control-cards.ts';
import { type ControlModel, isLive } from './control-model.ts';

/** Longer than it takes to start an ended run again. */
const justDecidedMs = 3_600_000;

/** Handles orders that have arrived, and what votes have decided: the cell verifies each order first. */
export class Decisions {
  readonly #model: ControlModel;
  readonly #desk: DeskActivities;
  readonly #cell: ControlActivities;
  readonly cards: ControlCards;

  constructor(model: ControlModel, desk: DeskActivities, cell: ControlActivities) {
    this.#model = model;
    this.#desk = desk;
    this.#cell = cell;
    this.cards = new ControlCards({
      desk,
      post: (question) => this.#postOf(question),
      failed: (question, what) => model.record('card.failed', 'engine', what, { question }),
    });
  }

  async take(value: unknown): Promise<void> {
    const taken = await this.#cell.takeOrder(value).catch((): OrderAnswer => notChecked);
    if (!taken.ok) return this.#refuse(value, taken.reason);
    const { order: signed, name } = taken;
    if (!this.#model.acceptsOnce(signed)) return;
    if (isProposal(signed)) return this.#propose(signed, taken);
    if (isEnd(signed)) return this.#end(signed, name);
    const { order } = signed;
    const actor = `person/${order.person}`;
    if (order.kind === 'evidence.read') {
      // Evidence is handed out on the command line by someone with the store's keys; here it is only recorded who asked, and why.
      const { incident, addresses, reason } = order;
      const count = addresses.length === 1 ? '1 object' : `${addresses.length} objects`;
      this.#model.record('evidence.read', actor, `${name} reads evidence of ${incident} (${count}): ${reason}`, {
        order: signed,
        ...signatureIn(signed),
      });
    } else if (order.kind === 'incident.export') {
      // Its file is also written on the command line, once this is recorded: the order contains the digest of its content.
      const { incident, run, reason } = order;
      this.#model.record('incident.exported', actor, `${name} exports ${incident}@${run}: ${reason}`, {
        order: signed,
        ...signatureIn(signed),
      });
    } else if (order.kind === 'incident.rerun') {
      // Its run is also ended on the command line, once this is recorded, and the cell begins it again.
      const { incident, run, reason } = order;
      this.#model.record('incident.rerun', actor, `${name} has ${incident}@${run} begun again: ${reason}`, {
        order: signed,
        ...signatureIn(signed),
      });
    } else if (order.kind === 'records.hold' || order.kind === 'records.unhold') {
      // The process that prunes records reads there what is held: nothing else stores it.
      const what = order.kind === 'records.hold' ? `holds ${holdScopeText(order.scope)}` : 'asks to end the hold';
      this.#model.record(recordOrderDone[order.kind], actor, `${name} ${what} (${order.hold}): ${order.reason}`, {
        order: signed,
        ...signatureIn(signed),
      });
    } else if (isDeadlineOrder(order)) {
      // Desks compute deadlines from these records: nothing here stores them.
      this.#model.record(deadlineOrderDone[order.kind], actor, `${name} ${deadlineOrderText(order)}`, {
        order: signed,
        ...signatureIn(signed),
      });
    } else if (order.kind === 'records.remove') {
      // Same as holds: the process that removes it reads there that two people have ordered it.
      const { chain, records, removal, reason } = order;
      const what = `the content of ${records.length === 1 ? 'a record' : `${records.length} records`} of ${chain}`;
      this.#model.record(recordOrderDone[order.kind], actor, `${name} asks to remove ${what} (${removal}): ${reason}`, {
        order: signed,
        ...signatureIn(signed),
      });
    } else {
      // Starting the incident is up to the intake. Its own card tells people; here it is recorded who ordered it, with the signature.
      const { id, reason } = order.terms;
      const { incident = '' } = taken;
      this.#model.record('incident.started', actor, `${name} started ${incident} (${id}): ${reason}`, {
        order: signed,
        incident,
        ...signatureIn(signed),
      });
    }
  }

  /** Restores what the cell applies but this workflow lost when somebody reset it. */
  recall({ decided, ended, proposed, unrecorded = [] }: KnownDecisions): void {
    for (const one of unrecorded) this.#endedBefore(one);
    for (const one of proposed) this.#askAgain(one);
    for (const one of decided) {
      if (!this.#model.restore(one)) continue;
      this.#update(one.proof.question.id);
      this.#begun(one.proposal);
    }
    for (const by of ended) {
      const { decision } = by.order;
      const known = this.#model.decisions.get(decision);
      if (!known || !isLive(known)) continue;
      this.#model.set(decision, { state: 'ended', at: timeNow(), by });
      this.#closeQuestion(known.question);
      this.#ended(known);
      const { noun } = kindOf(known.proposal.order);
      this.#model.record(`${noun}.restored`, 'engine', 'its end was restored from what the cell knew', { [noun]: decision });
    }
  }

  /** Shows decisions made just before the previous run was ended: its cards may still ask. */
  showDecided(restored: readonly ProvenDecision[]): void {
    const since = nowMs() - justDecidedMs;
    for (const { proof } of restored)
      if (proof.votes.some(({ vote }) => Date.parse(vote.at) > since)) this.#update(proof.question.id);
  }

  /** Ends decisions that have expired. The cell checks its own clock for each alert: this is for the record. */
  expire(): void {
    for (const [id, one] of this.#model.decisions) {
      if (!isLive(one) || this.#model.endOf(one) > nowMs()) continue;
      const { noun, name, over, nothing } = kindOf(one.proposal.order);
      const state = one.status.state === 'proposed' ? 'lapsed' : 'expired';
      this.#model.set(id, { state, at: timeNow() });
      this.#closeQuestion(one.question);
      const text = state === 'expired' ? over : `nobody decided: ${nothing}`;
      this.#model.record(`${noun}.${state}`, 'engine', text, { [noun]: id });
      this.#say(one.proposal, `${name} ${id} has ${state}: ${text}.`);
    }
  }

  #propose(proposal: SignedProposal, { name, levels, stepUp }: Extract<OrderAnswer, { readonly ok: true }>): void {
    const { terms, person } = proposal.order;
    const problem = this.#problemOf(proposal);
    if (problem !== undefined) {
      this.#refuse(proposal, problem);
      return;
    }
    const { noun, title } = kindOf(proposal.order);
    const { question, digest } = this.#ask({ proposal, name, levels, ...(stepUp && { stepUp }) });
    this.#model.record(`${noun}.proposed`, `person/${person}`, `${name}: ${title}`, {
      [noun]: terms.id,
      proposal,
      question,
      digest,
    });
  }

  #askAgain(one: OpenProposal): void {
    const { order } = one.proposal;
    const { id } = order.terms;
    const noun = nounOf(order);
    if (this.#problemOf(one.proposal) !== undefined) return;
    const { question, digest } = this.#ask(one);
    const text = 'the proposal was restored from what the cell knew, and is asked again';
    this.#model.record(`${noun}.restored`, 'engine', text, { [noun]: id, question, digest });
  }

  #ask({ proposal, name, levels, stepUp }: OpenProposal): QuestionState {
    this.#model.names.set(proposal.order.person, name);
    const state = this.#model.propose(proposal, levels, stepUp);
    this.cards.show({ question: state.question.id, isPosted: false });
    return state;
  }

  /** Records an order that a previous run has not put on record: only the order itself says by whom, and why. */
  #endedBefore({ end, proposal }: UnrecordedEnd): void {
    const { decision, person, reason } = end.order;
    if (this.#model.decisions.has(decision)) return;
    const { noun, name } = kindOf(proposal.order);
    this.#model.restoreEnded(proposal, end);
    this.#model.record(`${noun}.ended`, `person/${person}`, `restored from what the cell knew: ${reason}`, {
      [noun]: decision,
      order: end,
    });
    this.#say(proposal, `${name} ${decision} was ended by ${this.#model.names.get(person) ?? person}: ${reason}`);
  }

  #problemOf({ order }: SignedProposal): string | undefined {
    if (this.#model.decisions.has(order.terms.id)) return 'This proposal is already known.';
    if (this.#model.isFull(nounOf(order))) return 'There are too many decisions: end some first.';
    if (order.kind !== 'promotion.propose') return undefined;
    const [same] = this.#promotionsProposed((terms) => isSamePromotion(terms, order.terms));
    return same && `The same promotion is already proposed as ${same.id}, and waits for somebody else to agree.`;
  }

  /** Those that nobody has decided on yet. */
  #promotionsProposed(wanted: (terms: PromotionTerms) => boolean): readonly PromotionTerms[] {
    return [...this.#model.decisions.values()].flatMap(({ proposal: { order }, status }) =>
      status.state === 'proposed' && order.kind === 'promotion.propose' && wanted(order.terms) ? [order.terms] : [],
    );
  }

  /** Other pack proposals that were open when this began. */
  #begun({ order }: SignedProposal): void {
    if (order.kind !== 'promotion.propose') return;
    const { terms } = order;
    this.#fall((proposed) => fallsWhenBegun(proposed, terms), kindOf(order).begun);
  }

  #ended({ proposal: { order }, status }: DecisionState): void {
    if (status.state !== 'active' || order.kind !== 'promotion.propose') return;
    const { terms } = order;
    this.#fall((proposed) => fallsWhenEnded(proposed, terms), `${releaseText(terms)} was rolled back`);
  }

  /** What people were shown is no longer true: nobody can agree to it any more. */
  #fall(isMeant: (proposed: PromotionTerms) => boolean, since: string): void {
    for (const { id } of this.#promotionsProposed(isMeant)) {
      const known = this.#model.decisions.get(id);
      if (!known) continue;
      const text = `${since}: propose it again`;
      this.#model.set(id, { state: 'lapsed', at: timeNow() });
      this.#closeQuestion(known.question, text);
      this.#model.record('promotion.lapsed', 'engine', text, { promotion: id });
      this.#say(known.proposal, `${kindOf(known.proposal.order).name} ${id} has lapsed: ${text}.`);
    }
  }

  #end(signed: SignedEnd, who: string): void {
    // Each cell and pool verifies the token itself; no record stores it.
    const { idToken: _, ...end } = signed;
    const { order } = end;
    const noun = nounOf(order);
    const known = this.#model.decisions.get(order.decision);
    if (!known || !isLive(known) || nounOf(known.proposal.order) !== noun) {
      this.#refuse(signed, `There is no such ${noun}, or it is over.`);
      return;
    }
    this.#model.set(order.decision, { state: 'ended', at: timeNow(), by: signed });
    this.#closeQuestion(known.question);
    this.#ended(known);
    this.#model.record(`${noun}.ended`, `person/${order.person}`, `${who}: ${order.reason}`, {
      [noun]: order.decision,
      order: end,
    });
    const { name } = kindOf(known.proposal.order);
    const how = known.status.state === 'proposed' ? 'was withdrawn' : 'was ended';
    this.#say(known.proposal, `${name} ${order.decision} ${how} by ${who}: ${order.reason}`);
  }

  #refuse(value: unknown, reason: string): void {
    const { actor, id, noun } = claimed(value);
    this.#model.record(`${noun}.refused`, actor, reason, { ...(id !== null && { [noun]: id }), ...signatureIn(value) });
  }

  /** Handles the result of a vote. */
  counted({ after: { question, status }, by, name }: CountedVote): void {
    this.#model.names.set(by, name);
    if (status.state === 'decided') this.#decided(question.id, status.choice, status.by);
    else this.#update(question.id);
  }

  #decided(question: string, choice: string, by: readonly string[]): void {
    const who = by.map((person) => `person/${person}`).join(',');
    const names = by.map((person) => this.#model.names.get(person) ?? person).join(' and ');
    this.#model.record('question.decided', who, `${choice}, by ${names}`, { question, choice, by });
    const found = [...this.#model.decisions].find(([, one]) => one.question === question);
    if (!found) return;
    const [id, { proposal }] = found;
    const { noun, name, begun, nothing } = kindOf(proposal.order);
    const { owner, reason } = proposal.order.terms;
    const at = timeNow();
    const approved = choice === approveChoice;
    this.#model.set(id, approved ? { state: 'active', since: at } : { state: 'rejected', at });
    const text = approved ? begun : nothing;
    this.#model.record(approved ? `${noun}.begun` : `${noun}.rejected`, who, text, { [noun]: id });
    this.#update(question);
    if (!approved) return;
    this.#begun(proposal);
    this.#say(
      proposal,
      `${name} ${id}, approved by ${names}: ${text}. ${this.#model.names.get(owner) ?? owner} is responsible for it: ${reason}`,
    );
  }

  #closeQuestion(id: string, why = 'it is over'): void {
    const state = this.#model.questions.get(id);
    if (state?.status.state !== 'open') return;
    const at = timeNow();
    this.#model.questions.set(id, { ...state, status: { state: 'void', why, at } });
    this.#update(id);
  }

  #update(question: string): void {
    this.cards.show({ question, isPosted: true });
  }

  #postOf(question: string): QuestionPost | undefined {
    const state = this.#model.questions.get(question);
    const one = [...this.#model.decisions.values()].find((known: DecisionState) => known.question === question);
    return state && one && controlPost(state, one.proposal);
  }

  /** Everybody is told of a weakening, and of its end. */
  #say(proposal: SignedProposal, text: string): void {
    const { ref, cluster } = this.#model;
    const incident = { ...ref, title: `decisions of ${cluster}`, severity: kindOf(proposal.order).severity, cluster };
    void this.#desk
      .postInThread({ key: `${ref.run}/${proposal.order.terms.id}/${text.slice(0, 40)}`, incident, text })
      .catch(() => undefined);
  }
}

const notChecked = { ok: false, reason: 'It could not be checked. Send it again.' } as const;

/** The signature by which the sender of an order finds its outcome. */
export function signatureIn(value: unknown): { readonly signature?: string } {
  const signature: unknown = typeof value === 'object' && value !== null && 'signature' in value ? value.signature : undefined;
  return typeof signature === 'string' ? { signature: signature.slice(0, 100) } : {};
}

/** The actor that a rejected order claims to be from. */
export function claimedActor(value: unknown): string {
  return claimed(value).actor;
}

const nouns = ['suppression', 'restraint', 'promotion', 'evidence', 'incident', 'records', 'deadline'] as const;

/** The claimed sender and subject of a rejected order: for the record, truncated, and marked as a claim. */
function claimed(value: unknown): {
  readonly actor: string;
  readonly id: string | null;
  readonly noun: (typeof nouns)[number] | 'order';
} {
  const order = isObject(value) && isObject(value.order) ? value.order : {};
  const text = (one: unknown, most: number): string | undefined => (typeof one === 'string' ? one.slice(0, most) : undefined);
  const terms = isObject(order.terms) ? order.terms : {};
  const [about] = (text(order.kind, 100) ?? '').split('.');
  return {
    actor: claimedBy(text(order.person, 100) ?? 'unknown'),
    id: text(terms.id, 32) ?? text(order.decision, 32) ?? null,
    noun: nouns.find((noun) => noun === about) ?? 'order',
  };
}

/** What people see of a proposal: the desk builds the card from what was signed. */
function controlPost({ question, votes, status, level, levelUntil }: QuestionState, proposal: SignedProposal): QuestionPost {
  // The token is no longer needed.
  const { idToken: _, ...signed } = proposal;
  return {
    question,
    about: { kind: 'proposal', proposal: signed },
    stand: { severity: question.severity, level, until: levelUntil, votes: bareVotes(votes), status },
  };
}
