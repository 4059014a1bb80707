import type { PodImage } from '../../core/action/image-signature.ts';
import type { DeskActivities, IncidentSettings } from '../../core/action/step.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { AlertKind } from '../../core/alert/coverage.ts';
import { type Severity, worse } from '../../core/alert/severity.ts';
import type { SilenceProof } from '../../core/assessment/silence-seal.ts';
import type { RecordKind } from '../../core/audit/record-kinds.ts';
import type { Posture } from '../../core/cluster/posture.ts';
import type { EvidenceRef } from '../../core/evidence/evidence.ts';
import type { PendingEffect } from '../../core/incident/effect.ts';
import {
  type AlertCount,
  type IncidentRef,
  type Reached,
  type Subject,
  subjectTitle,
  type Verdict,
} from '../../core/incident/incident.ts';
import type { CarriedIncident, FollowUpState, Holding, IncidentInput } from '../../core/incident/incident-input.ts';
import {
  type BodyState,
  entryOf,
  type IncidentState,
  type QuestionState,
  type RanState,
  type StepState,
  type TimelineEntry,
} from '../../core/incident/incident-state.ts';
import { isOver, type Lease } from '../../core/incident/lease.ts';
import type { PodContainment } from '../../core/playbook/playbook.ts';
import { Outbox } from '../outbox.ts';
import type { Caller } from '../steps/caller.ts';
import { nowMs, runInfo, timeNow, uuid4 } from '../world.ts';

const timelineLimit = 500;
const seenLimit = 5_000;

/** A running body: its state for the query, and the alert that it runs for. */
export interface Body {
  state: BodyState;
  alert: Alert;
  severity: Severity;
  /** The alert about which most is done. */
  strongest: Alert;
  /** What people were shown when they were last asked. */
  shown?: readonly AlertKind[];
  /** The worst alert that came after that and is not covered by it. */
  uncovered?: Alert;
  /** Contains its pod at once because of an alert; absent: it has not begun, or its playbook does not let it. */
  containAtOnce?: (because: Alert, unanswered?: SilenceProof) => void;
  /** The containment that the engine began for it. */
  containment?: { readonly result: Promise<PodContainment>; readonly isInDoubt: boolean };
  /** The same once it is in force, with the alert that it was begun for. */
  contained?: { readonly done: PodContainment; readonly because: Alert; readonly unanswered?: SilenceProof };
  /** The question with this body's last answer. */
  lastAnswered?: string;
  /** Bodies of other playbooks that it waits for. */
  readonly waitsFor: Set<Body>;
}

/** The incident's state: plain data with one workflow as its writer. Everything else in this room reads and changes it. */
export class IncidentModel {
  readonly ref: IncidentRef;
  readonly subject: Subject;
  readonly title: string;
  readonly settings: IncidentSettings;
  readonly outbox: Outbox;
  readonly counts = new Map<string, AlertCount>();
  readonly steps = new Map<string, StepState>();
  readonly bodies = new Map<string, Body>();
  readonly questions = new Map<string, QuestionState>();
  /** The bodies that one answer to a question settles, by its id; the first is the one whose plans it shows. Absent: it is of one body. */
  readonly answeredTogether = new Map<string, readonly Caller[]>();
  /** Names of people who have voted, by their ids, as the cell knows them. */
  readonly names = new Map<string, string>();
  readonly leases = new Map<string, Lease>();
  readonly holdings = new Map<string, Holding>();
  readonly callCounters = new Map<string, number>();
  /** Keys of quarantines whose follow-up has begun. */
  readonly followedUp = new Set<string>();
  /** Quarantines whose effect is still to be checked, by the keys of their steps. */
  readonly effects = new Map<string, PendingEffect>();
  /** The cell's confirmations that pods are to be cut off without people, by uid. */
  readonly assessed = new Map<string, string>();
  /** Ids of people whom the alerts name as the actor: at most as many as are on the roster. */
  readonly actors = new Set<string>();
  /** Ids of people who have ordered the incident by hand: at most as many as are on the roster. */
  readonly requesters = new Set<string>();
  /** By the first of the worst alerts. */
  ran: RanState | undefined;
  evidence: readonly EvidenceRef[] = [];
  images: readonly PodImage[] = [];
  posture: Posture | undefined;
  timeline: readonly TimelineEntry[] = [];
  endedBodies: readonly BodyState[] = [];
  severity: Severity = 'unknown';
  verdict: Verdict = 'unknown';
  verdictWhy = '';
  reached: Reached = 'detected';
  open = true;
  followUp: FollowUpState = {
    tickets: [],
    lines: [],
    comments: 0,
    gaveUp: false,
    calledFor: [],
    calledGroups: [],
    calls: 0,
    pageBegan: 0,
  };
  /** Called for every record that is made. */
  onRecord: (kind: RecordKind, text: string, body: Readonly<Record<string, unknown>>) => void = () => undefined;
  openedAt: string;
  lastAlertAt = nowMs();
  /** When something last came that was not only counted: mere noise does not keep an incident open for ever. */
  lastNewsAt = nowMs();
  /** Work in progress that must end before the incident does: steps, card updates, votes. */
  busy = 0;
  #seen = new Set<string>();

  namesOf(people: readonly string[]): readonly string[] {
    return people.map((id) => this.names.get(id) ?? id);
  }

  constructor(input: IncidentInput, desk: DeskActivities) {
    const info = runInfo();
    this.ref = { id: info.workflowId, run: info.firstExecutionRunId };
    this.subject = input.start.subject;
    this.title = subjectTitle(input.start.subject);
    this.settings = input.settings;
    this.outbox = new Outbox(this.ref, desk.recordAudit);
    this.openedAt = timeNow();
    if (input.carried) this.#carryOn(input.carried);
  }

  /** A unique id among all incidents, 16 hex digits: the desk stores cards of all incidents under such ids. */
  newId(): string {
    return uuid4().replaceAll('-', '').slice(0, 16);
  }

  note(kind: string, actor: string, text: string, of: Pick<TimelineEntry, 'of'> = {}): void {
    const entry: TimelineEntry = { at: timeNow(), kind, actor, text, ...of };
    this.timeline = [...this.timeline.slice(-(timelineLimit - 1)), entry];
  }

  /** Adds to the timeline and the record. @param kept stored with the record, but not part of it */
  record(kind: RecordKind, actor: string, text: string, body: Readonly<Record<string, unknown>> = {}, kept?: string): void {
    this.note(kind, actor, text, entryOf(body));
    this.outbox.add(kind, actor, { text, ...body }, kept);
    this.onRecord(kind, text, body);
  }

  /** Returns true the first time; bounded, because the intake's ledger is the first line of defence. */
  firstSight(id: string): boolean {
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    if (this.#seen.size > seenLimit) this.#seen = new Set([...this.#seen].slice(seenLimit / 2));
    return true;
  }

  raise(severity: Severity): boolean {
    const before = this.severity;
    this.severity = worse(this.severity, severity);
    return this.severity !== before;
  }

  severityOf(): Severity {
    return this.severity;
  }

  /** To be merged into the input of a vote check. */
  get namedActors(): { readonly actors?: readonly string[] } {
    return this.actors.size === 0 ? {} : { actors: [...this.actors] };
  }

  /** To be merged into a question that is asked now. */
  get namedRequesters(): { readonly requesters?: readonly string[] } {
    return this.requesters.size === 0 ? {} : { requesters: [...this.requesters] };
  }

  get priority(): number {
    return this.severity === 'critical' ? 1 : 3;
  }

  get total(): number {
    let total = 0;
    for (const entry of this.counts.values()) total += entry.count;
    return total;
  }

  /** Number of bodies that neither sleep nor wait for another. */
  get runningBodies(): number {
    return [...this.bodies.values()].filter(
      ({ state, waitsFor }) => state.state === 'running' && state.asleepUntil === undefined && waitsFor.size === 0,
    ).length;
  }

  get openBodies(): boolean {
    return [...this.bodies.values()].some((body) => body.state.state === 'running' || body.state.state === 'waiting');
  }

  get activeLeases(): readonly Lease[] {
    return [...this.leases.values()].filter((lease) => lease.state === 'active' || lease.state === 'releasing');
  }

  /** Leases that hold a target, including permanent ones: these count against the cap of their owner. */
  get holdingLeases(): readonly Lease[] {
    return [...this.leases.values()].filter(({ state }) => !isOver(state));
  }

  isHolding(lease: string | undefined): boolean {
    return this.holdingLeases.some(({ id }) => id === lease);
  }

  /** Whether nothing is left to do: no body, no lease that ends by itself, no pending check of a quarantine's effect, no work in progress. */
  get quiet(): boolean {
    return !this.openBodies && this.activeLeases.length === 0 && this.effects.size === 0 && this.busy === 0;
  }

  /** Runs work that must finish before the incident ends. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.busy += 1;
    try {
      return await work;
    } finally {
      this.busy -= 1;
    }
  }

  snapshot(): IncidentState {
    const { made, acknowledged } = this.outbox.counts;
    return {
      incident: this.ref,
      subject: this.subject,
      title: this.title,
      severity: this.severity,
      verdict: this.verdict,
      verdictWhy: this.verdictWhy,
      reached: this.reached,
      open: this.open,
      openedAt: this.openedAt,
      ...(this.ran && { ran: this.ran }),
      counts: [...this.counts.values()],
      total: this.total,
      timeline: this.timeline,
      steps: [...this.steps.values()],
      bodies: [...this.endedBodies, ...[...this.bodies.values()].map((body) => body.state)],
      questions: [...this.questions.values()].map(withoutTokens),
      leases: [...this.leases.values()],
      ...this.namedActors,
      ...this.namedRequesters,
      evidence: this.evidence,
      ...(this.images.length > 0 && { images: this.images }),
      ...(this.posture && { posture: this.posture }),
      tickets: this.followUp.tickets,
      audit: { made, acknowledged },
    };
  }

  carry(): CarriedIncident {
    return {
      state: { ...this.snapshot(), questions: [...this.questions.values()] },
      holdings: [...this.holdings.values()],
      seen: [...this.#seen].slice(-1_000),
      pendingRecords: this.outbox.carried,
      callCounters: Object.fromEntries(this.callCounters),
      followUp: this.followUp,
      ...(this.effects.size > 0 && { effects: [...this.effects.values()] }),
      names: Object.fromEntries(this.names),
    };
  }

  #carryOn({ state, holdings, seen, pendingRecords, callCounters, followUp, effects = [], names = {} }: CarriedIncident): void {
    for (const [person, name] of Object.entries(names)) this.names.set(person, name);
    for (const entry of state.counts) this.counts.set(countKey(entry), entry);
    for (const step of state.steps) this.steps.set(step.key, step);
    for (const question of state.questions) this.questions.set(question.question.id, question);
    for (const lease of state.leases) this.leases.set(lease.id, lease);
    for (const holding of holdings) this.holdings.set(holding.leaseId, holding);
    for (const [key, count] of Object.entries(callCounters)) this.callCounters.set(key, count);
    for (const pending of effects) this.effects.set(pending.step, pending);
    for (const person of state.actors ?? []) this.actors.add(person);
    for (const person of state.requesters ?? []) this.requesters.add(person);
    this.#seen = new Set(seen);
    this.outbox.carryOn({ pending: pendingRecords, ...state.audit });
    this.endedBodies = state.bodies;
    this.ran = state.ran;
    this.evidence = state.evidence;
    this.images = state.images ?? [];
    this.posture = state.posture;
    this.timeline = state.timeline;
    this.severity = state.severity;
    this.verdict = state.verdict;
    this.verdictWhy = state.verdictWhy ?? '';
    this.reached = state.reached;
    this.openedAt = state.openedAt;
    if (followUp) this.followUp = followUp;
  }
}

/** Tokens of the identity provider are only for the cell's own check: viewers need none. */
function withoutTokens(state: QuestionState): QuestionState {
  const { votes, withdrawn } = state;
  const without = (all: QuestionState['votes']) => all.map(({ idToken: _, ...signed }) => signed);
  return { ...state, votes: without(votes), ...(withdrawn ? { withdrawn: without(withdrawn) } : {}) };
}

export function countKey(entry: Pick<AlertCount, 'rule' | 'severity' | 'pod'>): string {
  return JSON.stringify([entry.rule, entry.severity, entry.pod ?? null]);
}
