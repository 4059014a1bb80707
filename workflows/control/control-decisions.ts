import type { CellActivities, DeskActivities } from '../../core/action/step.ts';
import { claimedBy } from '../../core/audit/audit.ts';
import type { SignedVote } from '../../core/decide/approval.ts';
import type { ControlActivities, IncidentOrderAnswer, OrderCheck } from '../../core/decide/control.ts';
import { type DecisionProposal, type DecisionState, wordsOf } from '../../core/decide/decision.ts';
import { countVote, saidBy } from '../../core/decide/question.ts';
import { isVoteShaped } from '../../core/decide/vote-shape.ts';
import type { SignedReadEvidence } from '../../core/orders/evidence-access.ts';
import type { SignedRestraintEnd } from '../../core/orders/restraint.ts';
import { approveChoice, type SignedEnd } from '../../core/orders/suppression.ts';
import { controlPost } from './control-card.ts';
import { type ControlModel, isLive } from './control-model.ts';

export interface Arrived {
  readonly kind: 'propose' | 'end' | 'vote' | 'read' | 'start';
  readonly value: unknown;
}

export type Checks = ControlActivities & Pick<CellActivities, 'verifyVote'>;

/** What is done with orders and votes that have arrived: one after another, each proven by the cell first. */
export class Decisions {
  readonly #model: ControlModel;
  readonly #desk: DeskActivities;
  readonly #checks: Checks;

  constructor(model: ControlModel, desk: DeskActivities, checks: Checks) {
    this.#model = model;
    this.#desk = desk;
    this.#checks = checks;
  }

  async take({ kind, value }: Arrived): Promise<void> {
    if (kind === 'propose') await this.#propose(value);
    else if (kind === 'end') await this.#end(value);
    else if (kind === 'read') await this.#read(value);
    else if (kind === 'start') await this.#start(value);
    else await this.#vote(value);
  }

  /** What has come to its end by itself. The cell looks at its own clock for each alert: this is for the record. */
  expire(): void {
    for (const [id, one] of this.#model.decisions) {
      if (!isLive(one) || this.#model.endOf(one) > Date.now()) continue;
      const { noun, name, over, nothing } = wordsOf(one.proposal);
      const state = one.status.state === 'proposed' ? 'lapsed' : 'expired';
      this.#model.set(id, { state, at: new Date().toISOString() });
      this.#closeQuestion(one.question);
      const text = state === 'expired' ? over : `nobody decided: ${nothing}`;
      this.#model.record(`${noun}.${state}`, 'engine', text, { [noun]: id });
      this.#say(one.proposal, `${name} ${id} has ${state}: ${text}.`);
    }
  }

  async #propose(value: unknown): Promise<void> {
    const checked = await this.#checks.checkProposal(value).catch((): OrderCheck<DecisionProposal> => notChecked);
    const reason = checked.ok ? this.#problemOf(checked.order.order.terms.id) : checked.reason;
    if (!checked.ok || reason !== undefined) return this.#refuseOrder(value, reason ?? 'refused');
    const proposal = checked.order;
    const { terms, person } = proposal.order;
    const { noun, title } = wordsOf(proposal);
    const state = this.#model.propose(proposal, checked.levels, checked.stepUp);
    this.#model.record(`${noun}.proposed`, `person/${person}`, `${checked.name}: ${title}`, {
      [noun]: terms.id,
      proposal,
      question: state.question,
      digest: state.digest,
    });
    void this.#desk
      .postQuestion(controlPost(state, proposal))
      .catch(() => this.#model.record('card.failed', 'engine', 'the card could not be posted', { [noun]: terms.id }));
  }

  #problemOf(id: string): string | undefined {
    if (this.#model.decisions.has(id)) return 'This proposal is known already.';
    return this.#model.isFull ? 'There are too many decisions: end some first.' : undefined;
  }

  async #end(value: unknown): Promise<void> {
    const checked = await this.#checks.checkEnd(value).catch((): OrderCheck<SignedEnd | SignedRestraintEnd> => notChecked);
    if (!checked.ok) return this.#refuseOrder(value, checked.reason);
    // The token has done its work: neither record nor state keeps it.
    const { idToken: _, ...end } = checked.order;
    const { order } = end;
    const noun = order.kind === 'suppression.end' ? 'suppression' : 'restraint';
    const id = order.kind === 'suppression.end' ? order.suppression : order.restraint;
    const known = this.#model.decisions.get(id);
    if (!known || !isLive(known) || wordsOf(known.proposal).noun !== noun)
      return this.#refuseOrder(value, `There is no such ${noun}, or it is over.`);
    this.#model.set(id, { state: 'ended', at: new Date().toISOString(), by: end });
    this.#closeQuestion(known.question);
    this.#model.record(`${noun}.ended`, `person/${order.person}`, `${checked.name}: ${order.reason}`, {
      [noun]: id,
      order: end,
    });
    const { name } = wordsOf(known.proposal);
    this.#say(known.proposal, `${name} ${id} was ended by ${checked.name}: ${order.reason}`);
  }

  #refuseOrder(value: unknown, reason: string): void {
    const { actor, id, noun } = claimed(value);
    this.#model.record(`${noun}.refused`, actor, reason, { [noun]: id, ...signatureIn(value) });
  }

  /** Evidence is handed out at the command line, by who has the store's keys; here it is put on the record who asked, and why. */
  async #read(value: unknown): Promise<void> {
    const checked = await this.#checks.checkReading(value).catch((): OrderCheck<SignedReadEvidence> => notChecked);
    if (!checked.ok) return this.#model.record('evidence.refused', claimed(value).actor, checked.reason, signatureIn(value));
    const { person, incident, addresses, reason } = checked.order.order;
    const count = addresses.length === 1 ? '1 object' : `${addresses.length} objects`;
    const text = `${checked.name} reads evidence of ${incident} (${count}): ${reason}`;
    this.#model.record('evidence.read', `person/${person}`, text, { order: checked.order, ...signatureIn(checked.order) });
  }

  /** The incident is the intake's to start. Its own card tells people; here it is on record who ordered it, and signed. */
  async #start(value: unknown): Promise<void> {
    const taken = await this.#checks.takeIncidentOrder(value).catch((): IncidentOrderAnswer => notChecked);
    if (!taken.ok) return this.#model.record('incident.refused', claimed(value).actor, taken.reason, signatureIn(value));
    const { terms, person } = taken.order.order;
    const text = `${taken.name} started ${taken.incident} (${terms.id}): ${terms.reason}`;
    this.#model.record('incident.started', `person/${person}`, text, {
      order: taken.order,
      incident: taken.incident,
      ...signatureIn(taken.order),
    });
  }

  async #vote(value: unknown): Promise<void> {
    if (!isVoteShaped(value)) {
      this.#model.record('vote.refused', claimedBy('unknown'), 'a signal that is no vote');
      return;
    }
    const { vote } = value;
    const state = this.#model.questions.get(vote.question);
    if (!state) return this.#refuse(value, 'There is no such question.');
    const check = await this.#checks
      .verifyVote({ vote: value, question: state.question, level: state.level })
      .catch(() => undefined);
    if (!check) return this.#refuse(value, 'The vote could not be checked; please answer again.');
    if (!check.ok) return this.#refuse(value, check.reason, check.signed);
    const now = new Date().toISOString();
    const result = countVote(state, value, { now, severity: state.question.severity });
    if (result.outcome === 'refused') return this.#refuse(value, result.reply, true);
    if (result.outcome === 'repeated') return this.#answer(value, result.reply);
    this.#model.questions.set(vote.question, result.state);
    this.#model.record('vote.accepted', `person/${vote.person}`, saidBy(check.name, vote), {
      vote,
      keyId: value.keyId,
      signature: value.signature,
      ...(check.signIn ? { signIn: check.signIn } : {}),
    });
    this.#answer(value, result.reply);
    const { status } = result.state;
    if (status.state === 'decided') this.#decided(vote.question, status.choice, status.by);
    else this.#update(vote.question);
  }

  #decided(question: string, choice: string, by: readonly string[]): void {
    const who = by.map((person) => `person/${person}`).join(',');
    this.#model.record('question.decided', who, `${choice}, by ${by.join(' and ')}`, { question, choice, by });
    const found = [...this.#model.decisions].find(([, one]) => one.question === question);
    if (!found) return;
    const [id, { proposal }] = found;
    const { noun, name, begun, nothing } = wordsOf(proposal);
    const { owner, reason } = proposal.order.terms;
    const at = new Date().toISOString();
    const approved = choice === approveChoice;
    this.#model.set(id, approved ? { state: 'active', since: at } : { state: 'rejected', at });
    const text = approved ? begun : nothing;
    this.#model.record(approved ? `${noun}.begun` : `${noun}.rejected`, who, text, { [noun]: id });
    this.#update(question);
    if (approved)
      this.#say(proposal, `${name} ${id}, approved by ${by.join(' and ')}: ${text}. ${owner} answers for it: ${reason}`);
  }

  #refuse(signed: SignedVote, reason: string, isTheirs = false): void {
    const { id, person, question, choice, via } = signed.vote;
    this.#model.record('vote.refused', isTheirs ? `person/${person}` : claimedBy(person), reason, {
      question,
      choice,
      via,
      vote: id,
      signature: signed.signature,
    });
    this.#answer(signed, reason);
  }

  #closeQuestion(id: string): void {
    const state = this.#model.questions.get(id);
    if (state?.status.state !== 'open') return;
    const at = new Date().toISOString();
    this.#model.questions.set(id, { ...state, status: { state: 'void', why: 'it is over', at } });
    this.#update(id);
  }

  #update(question: string): void {
    const state = this.#model.questions.get(question);
    const one = [...this.#model.decisions.values()].find((known: DecisionState) => known.question === question);
    if (!state || !one) return;
    void this.#desk
      .updateQuestion(controlPost(state, one.proposal))
      .catch(() => this.#model.record('card.failed', 'engine', 'a card could not be brought up to date', { question }));
  }

  #answer({ vote, signature }: SignedVote, text: string): void {
    if (vote.via !== 'slack') return;
    void this.#desk.answerClick({ incident: this.#model.ref, click: vote.id, signature, text }).catch(() => undefined);
  }

  /** Weakening is told to everybody, and so is its end. */
  #say(proposal: DecisionProposal, text: string): void {
    const { ref, cluster } = this.#model;
    const incident = { ...ref, title: `decisions of ${cluster}`, severity: wordsOf(proposal).severity, cluster };
    void this.#desk
      .postInThread({ key: `${ref.run}/${proposal.order.terms.id}/${text.slice(0, 40)}`, incident, text })
      .catch(() => undefined);
  }
}

const notChecked = { ok: false, reason: 'It could not be checked; please send it again.' } as const;

/** By which whoever sent an order finds what came of it. */
export function signatureIn(value: unknown): { readonly signature?: string } {
  const signature: unknown = typeof value === 'object' && value !== null && 'signature' in value ? value.signature : undefined;
  return typeof signature === 'string' ? { signature: signature.slice(0, 100) } : {};
}

/** Who an order that was refused says that it is from. */
export function claimedActor(value: unknown): string {
  return claimed(value).actor;
}

/** Who an order that was refused says that it is from: for the record, cut, and marked as what it is. */
function claimed(value: unknown): { readonly actor: string; readonly id: string | null; readonly noun: string } {
  const order: unknown = typeof value === 'object' && value !== null && 'order' in value ? value.order : undefined;
  if (typeof order !== 'object' || order === null) return { actor: claimedBy('unknown'), id: null, noun: 'suppression' };
  const person = 'person' in order && typeof order.person === 'string' ? order.person.slice(0, 100) : 'unknown';
  const terms: unknown = 'terms' in order ? order.terms : undefined;
  const ids = [
    typeof terms === 'object' && terms !== null && 'id' in terms ? terms.id : undefined,
    'suppression' in order ? order.suppression : undefined,
    'restraint' in order ? order.restraint : undefined,
  ];
  const id = ids.find((one) => typeof one === 'string');
  const isRestraint = 'kind' in order && typeof order.kind === 'string' && order.kind.startsWith('restraint.');
  return { actor: claimedBy(person), id: id?.slice(0, 32) ?? null, noun: isRestraint ? 'restraint' : 'suppression' };
}
