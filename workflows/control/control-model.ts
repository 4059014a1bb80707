import type { Severity } from '../../core/alert/severity.ts';
import type { HandedState } from '../../core/audit/alert-archive.ts';
import type { RecordKind } from '../../core/audit/record-kinds.ts';
import type { Level } from '../../core/decide/approval.ts';
import type { AcceptedOrder, CarriedControl, ControlInput, ControlState } from '../../core/decide/control.ts';
import {
  type DecisionState,
  type DecisionStatus,
  kindOf,
  nounOf,
  type ProvenDecision,
  questionOf,
  type SignedProposal,
} from '../../core/decide/decision.ts';
import { openState } from '../../core/decide/question.ts';
import type { IncidentRef } from '../../core/incident/incident.ts';
import { entryOf, type QuestionState, type TimelineEntry } from '../../core/incident/incident-state.ts';
import type { DecisionNoun, Order, SignedEnd, SignedOrder } from '../../core/orders/order.ts';
import { digestOf } from '../../core/text/digest.ts';
import type { Outbox } from '../outbox.ts';
import { nowMs, runInfo, timeNow } from '../world.ts';

const timelineLimit = 300;
/** Ended decisions kept for display. */
const mostOver = 50;
/** A payload of Temporal has 2 MB, and a cell requests all of them in one. */
const mostLive = 100;
/** Decisions made by older runs are in the store. */
const mostRuns = 20;
/** Longer than an order counts as fresh: after that, the cell rejects a copy by its time. */
const copiesKnownForMs = 15 * 60_000;

const copyText =
  'An order that was already accepted was sent again by somebody with access to Temporal. It is carried out only once.';

export function isLive({ status }: Pick<DecisionState, 'status'>): boolean {
  return status.state === 'proposed' || status.state === 'active';
}

/** The state of the control workflow: plain data. */
export class ControlModel {
  readonly ref: IncidentRef;
  readonly cluster: string;
  /** Decisions of every kind, by their ids. */
  readonly decisions = new Map<string, DecisionState>();
  readonly questions = new Map<string, QuestionState>();
  /** Names of people who have proposed or voted, by their ids, as the cell knows them. */
  readonly names = new Map<string, string>();
  readonly #outbox: Outbox;
  #timeline: readonly TimelineEntry[] = [];
  #accepted: readonly AcceptedOrder[] = [];
  /** Temporal run ids: the runs that have continued as new up to this one. */
  #runs: readonly string[] = [];

  constructor(input: ControlInput, outbox: (ref: IncidentRef) => Outbox) {
    const info = runInfo();
    this.ref = { id: info.workflowId, run: info.firstExecutionRunId };
    this.cluster = input.cluster;
    this.#outbox = outbox(this.ref);
    if (input.carried) this.#carryOn(input.carried);
    for (const decided of input.restored ?? []) this.#restore(decided);
  }

  get outbox(): Outbox {
    return this.#outbox;
  }

  record(kind: RecordKind, actor: string, text: string, body: Readonly<Record<string, unknown>> = {}): void {
    this.#enter({ at: timeNow(), kind, actor, text, ...entryOf(body) });
    this.#outbox.add(kind, actor, { text, ...body });
  }

  /** Adds to the timeline, but not to the record. */
  note(kind: string, actor: string, text: string): void {
    this.#enter({ at: timeNow(), kind, actor, text });
  }

  #enter(entry: TimelineEntry): void {
    this.#timeline = [...this.#timeline.slice(-(timelineLimit - 1)), entry];
  }

  /** People named by alerts are listed in the question itself. */
  get namedActors(): Record<string, never> {
    return {};
  }

  severityOf({ question }: QuestionState): Severity {
    return question.severity;
  }

  /** Cutting the history can only lose an answer to a click: nothing waits for it. */
  during<T>(work: Promise<T>): Promise<T> {
    return work;
  }

  /**
   * Whether a person's order, already verified by the cell, is not a copy of an accepted one: anyone who can reach Temporal can resend what they read there.
   * The first copy is recorded, without the signature by which its sender looks for the outcome.
   */
  acceptsOnce({ order }: SignedOrder<Order>): boolean {
    const now = nowMs();
    const digest = digestOf(order);
    const young = this.#accepted.filter(({ at }) => now - at < copiesKnownForMs);
    const taken = young.find((one) => one.digest === digest);
    if (taken?.copied === false) this.record('order.repeated', 'engine', copyText, { digest });
    const others = young.filter((one) => one !== taken);
    this.#accepted = [...others, { digest, at: taken?.at ?? now, copied: taken !== undefined }];
    return taken === undefined;
  }

  /** Limits apply per kind: pack versions stay promoted for years, and must not prevent a freeze. */
  isFull(noun: DecisionNoun): boolean {
    const live = [...this.decisions.values()].filter((one) => isLive(one) && nounOf(one.proposal.order) === noun);
    return live.length >= mostLive;
  }

  /** `stepUp`: people are told that approving requires a sign-in. */
  propose(proposal: SignedProposal, levels: readonly Level[], stepUp: true | undefined): QuestionState {
    const { terms } = proposal.order;
    const question = questionOf({ proposal, control: this.ref, levels, stepUp });
    const state = openState(question, {
      at: nowMs(),
      levelUntil: Date.parse(question.until ?? terms.until),
      // All groups are asked at once: nothing is lost while people take their time.
      level: Math.max(0, levels.length - 1),
    });
    this.questions.set(question.id, state);
    this.decisions.set(terms.id, { proposal, question: question.id, status: { state: 'proposed' } });
    return state;
  }

  set(id: string, status: DecisionStatus): void {
    const known = this.decisions.get(id);
    if (known) this.decisions.set(id, { ...known, status });
    const over = [...this.decisions].filter(([, one]) => !isLive(one));
    for (const [old, { question }] of over.slice(0, Math.max(0, over.length - mostOver))) {
      this.decisions.delete(old);
      this.questions.delete(question);
    }
  }

  /** When the next one ends by itself, in milliseconds since 1970; infinite if there is none. */
  get nextEnd(): number {
    return Math.min(...[...this.decisions.values()].filter(isLive).map((one) => this.endOf(one)));
  }

  endOf({ proposal, status, question }: DecisionState): number {
    const asked = this.questions.get(question);
    return Date.parse(status.state === 'proposed' && asked ? asked.levelUntil : proposal.order.terms.until);
  }

  snapshot(handed: Pick<HandedState, 'waiting' | 'stored'>): ControlState {
    return {
      incident: this.ref,
      cluster: this.cluster,
      decisions: [...this.decisions.values()],
      questions: [...this.questions.values()],
      timeline: this.#timeline,
      audit: this.#outbox.counts,
      handed: { ...handed, runs: [...this.#runs, runInfo().runId] },
    };
  }

  carry(state: ControlState): CarriedControl {
    return {
      state,
      pendingRecords: this.#outbox.carried,
      orders: this.#accepted,
      names: Object.fromEntries(this.names),
    };
  }

  #carryOn({ state, pendingRecords, orders, names = {} }: CarriedControl): void {
    for (const [person, name] of Object.entries(names)) this.names.set(person, name);
    this.#accepted = orders;
    for (const one of state.decisions) this.decisions.set(one.proposal.order.terms.id, one);
    for (const one of state.questions) this.questions.set(one.question.id, one);
    this.#timeline = state.timeline;
    this.#outbox.carryOn({ pending: pendingRecords, ...state.audit });
    this.#runs = state.handed?.runs.slice(-mostRuns) ?? [];
  }

  /** What the cell has verified is in force, even if it was lost here. Returns false if it is known here, along with what has become of it. */
  restore(decided: ProvenDecision): boolean {
    const known = this.decisions.get(decided.proposal.order.terms.id);
    if (known && known.status.state !== 'proposed') return false;
    this.#restore(decided);
    return true;
  }

  /** Nobody is asked about it any more. */
  restoreEnded(proposal: SignedProposal, by: SignedEnd): void {
    const { id } = proposal.order.terms;
    this.decisions.set(id, { proposal, question: '', status: { state: 'proposed' } });
    this.set(id, { state: 'ended', at: timeNow(), by });
  }

  /** Its votes name the run in which they were given: they are kept unchanged. */
  #restore({ proposal, proof }: ProvenDecision): void {
    const { terms } = proposal.order;
    const { question, votes, choice } = proof;
    const at = timeNow();
    const by = votes.map(({ vote }) => vote.person);
    const asked = openState(question, { at: Date.parse(terms.from), levelUntil: Date.parse(terms.until) });
    this.questions.set(question.id, { ...asked, status: { state: 'decided', choice, by, at }, votes });
    this.decisions.set(terms.id, { proposal, question: question.id, status: { state: 'active', since: at } });
    const { noun } = kindOf(proposal.order);
    this.record(`${noun}.restored`, 'engine', 'restored from what the cell knew', { [noun]: terms.id });
  }
}
