import type { UndoResult } from '../../core/action/action.ts';
import type { UndoReason } from '../../core/action/step.ts';
import { worse } from '../../core/alert/severity.ts';
import { containmentText, leaseNews } from '../../core/cards/card-words.ts';
import type { ApprovalProof } from '../../core/decide/approval.ts';
import { askedElsewhere, standingIdOf } from '../../core/decide/standing-question.ts';
import { errorCatalogue } from '../../core/errors.ts';
import type { Holding } from '../../core/incident/incident-input.ts';
import { atLeaseEnd, isOver, type Lease, type LeaseEnd, refusedAgain } from '../../core/incident/lease.ts';
import { digestOf } from '../../core/text/digest.ts';
import { onWarrant, stepActivities, stepFailure } from '../calls.ts';
import { declarationOf } from '../declarations.ts';
import type { IncidentModel } from '../incident/model.ts';
import { playbooksHolding, verdictOn } from '../incident/verdicts.ts';
import type { StepFailure } from '../step-failure.ts';
import { condition, nowMs } from '../world.ts';

interface LeaseEvents {
  /** Called when a lease was renewed in silence, so that somebody hears of it. */
  readonly page: (text: string) => void;
  /** Called after a renewal in silence: the people called for it now may answer. */
  readonly renewed: (lease: Lease) => void;
  /** Called when it is over, in whatever way: its standing question is pointless now. */
  readonly ended: (leaseId: string, why: string) => void;
  /** Called when something that the cards show has changed. */
  readonly changed: () => void;
}

/** Effects in force for a limited time: renewed, released, made permanent, and undone exactly once. */
export class Leases {
  readonly #model: IncidentModel;
  readonly #events: LeaseEvents;
  #version = 0;

  constructor(model: IncidentModel, events: LeaseEvents) {
    this.#model = model;
    this.#events = events;
  }

  /** Called before the apply: an effect that landed despite a timeout is then found and undone too. */
  register(lease: Lease, holding: Holding): void {
    this.#model.holdings.set(lease.id, holding);
    this.update(lease);
  }

  update(lease: Lease): void {
    this.#model.leases.set(lease.id, lease);
    this.#version += 1;
  }

  /** A step that was never applied leaves no lease behind. */
  forget(id: string): void {
    this.#model.leases.delete(id);
    this.#model.holdings.delete(id);
    this.#version += 1;
  }

  /** Returns the active lease of this action on this target or, if the input names no uid, for this input: an identical step joins it. */
  active(action: string, uid: string | undefined, input: unknown): Lease | undefined {
    const isSame = (lease: Lease): boolean =>
      uid === undefined
        ? digestOf(this.#model.holdings.get(lease.id)?.call.input ?? null) === digestOf(input)
        : lease.target.uid === uid;
    return this.#model.activeLeases.find((lease) => lease.action === action && lease.state === 'active' && isSame(lease));
  }

  /** The target no longer exists: nothing is left to release. */
  targetGone(uid: string): void {
    for (const lease of this.#model.activeLeases) {
      if (lease.target.uid === uid) this.#end(lease, 'gone', 'the target is gone');
    }
  }

  extend(id: string, by: string): void {
    const lease = this.#model.leases.get(id);
    if (lease?.state !== 'active') return;
    const kept = this.withoutRelease(lease);
    this.update({ ...kept, until: Math.max(lease.until, nowMs()) + lease.durationMs, renewals: lease.renewals + 1 });
    this.#model.record('lease.extended', by, `${containmentText(lease)}: extended`, { lease: id });
    this.#events.changed();
  }

  keep(id: string, by: string): void {
    const lease = this.#model.leases.get(id);
    if (lease?.state !== 'active') return;
    this.#end(lease, 'permanent', `made permanent by ${by}`);
  }

  /** One holder lets go; the last one undoes it. If others still hold it, people who have decided to release it are told so. */
  async letGo(id: string, holder: string, reason: UndoReason): Promise<void> {
    const lease = this.#model.leases.get(id);
    // People decided to release it, and somebody has made it permanent meanwhile: the conflict must be reported.
    if (lease?.state === 'permanent') return this.#staysContained(lease, leaseNews.refused(lease, 'people keep it for good'));
    if (lease?.state !== 'active') return;
    const answered = reason.kind === 'approved' ? this.#answeredBy(reason.proof) : [];
    const holders = lease.holders.filter((other) => other !== holder && !answered.includes(other));
    if (holders.length > 0) {
      this.update({ ...lease, holders });
      if (reason.kind === 'approved')
        this.#staysContained(
          lease,
          leaseNews.heldByOthers(lease, playbooksHolding(this.#model, { ...lease, holders }), this.#askedElsewhere(lease)),
        );
      return;
    }
    await this.undo(id, reason);
  }

  /** The holders whose release one answer has settled: see `JointQuestions`. */
  #answeredBy({ question }: ApprovalProof): readonly string[] {
    const callers = this.#model.answeredTogether.get(question.id) ?? [];
    return callers.map(({ playbook, subjectKey }) => `${playbook}/${subjectKey}`);
  }

  /** The open question of a playbook that decides on the release. */
  #askedElsewhere({ id }: Lease): string | undefined {
    const { questions } = this.#model;
    const standing = questions.get(standingIdOf(id));
    return standing && askedElsewhere(standing.question, questions.values())?.text;
  }

  /**
   * Restores exactly what was changed. What has drifted is left alone, which is reported. If the API server refuses or cannot do it, people are told; the
   * effect stays in force, and the release is retried until it succeeds or people decide otherwise.
   */
  async undo(id: string, reason: UndoReason): Promise<void> {
    const lease = this.#model.leases.get(id);
    const holding = this.#model.holdings.get(id);
    if (lease?.state !== 'active' || !holding) return;
    const declaration = declarationOf(holding.call.action);
    this.update({ ...lease, state: 'releasing' });
    try {
      const pool = stepActivities(this.#model.settings, declaration, this.#model.priority);
      // If the incident has become more severe since the step, the people required now must decide.
      const call = { ...holding.call, severity: worse(holding.call.severity, this.#model.severity), ...this.#model.namedActors };
      const undo = { call, reason };
      const needsWarrant = declaration.pool !== 'cell' && reason.kind !== 'step-failed';
      const result = await this.#model.during(
        needsWarrant
          ? onWarrant(
              this.#model,
              (issuer) => issuer.issueReleaseWarrant(undo),
              (warrant) => pool.undoStep({ ...undo, call: { ...call, warrant } }),
            )
          : pool.undoStep(undo),
      );
      // There was nothing to undo: nothing was ever in force.
      if (reason.kind === 'step-failed' && (result.state === 'already' || result.state === 'gone')) return this.forget(id);
      const now = this.#model.leases.get(id);
      if (now?.state === 'releasing') this.#end(now, endOf(result.state), result.detail);
    } catch (error) {
      const failure = stepFailure(error);
      // Its target has disappeared meanwhile.
      if (this.#model.leases.get(id)?.state !== 'releasing') throw failure;
      if (comesLater(holding, failure)) this.#refusedForNow(lease, reason, failure);
      else this.#refused(lease, failure);
      throw failure;
    }
  }

  /** Waits while a release is in progress. */
  async tried(id: string): Promise<void> {
    if (this.#model.leases.get(id)?.state === 'releasing')
      await condition(() => this.#model.leases.get(id)?.state !== 'releasing');
  }

  /** Resolves to whether a refused release has succeeded after all; false if it is not retried. */
  async comesLater(id: string): Promise<boolean> {
    const lease = (): Lease | undefined => this.#model.leases.get(id);
    if (!lease()?.refused) return false;
    await condition(() => lease()?.refused === undefined);
    const state = lease()?.state;
    return state !== undefined && isOver(state);
  }

  /** Stops retrying the release: people have decided otherwise, somebody needs it again, or it is refused for good. The caller updates the lease. */
  withoutRelease({ refused: _, ...lease }: Lease): Lease {
    const known = this.#model.holdings.get(lease.id);
    if (known?.release) {
      const { release: _reason, ...holding } = known;
      this.#model.holdings.set(lease.id, holding);
    }
    return lease;
  }

  /** Waits for the next end of a lease, for as long as the incident lives. */
  async run(): Promise<never> {
    for (;;) {
      const version = this.#version;
      const next = this.#nextEnd();
      if (next === undefined) {
        await condition(() => this.#version !== version);
        continue;
      }
      const wait = next - nowMs();
      const changed = wait > 0 && (await condition(() => this.#version !== version, wait));
      if (!changed)
        for (const lease of this.#model.activeLeases) if (this.#canEnd(lease) && dueAt(lease) <= nowMs()) this.#due(lease);
    }
  }

  #nextEnd(): number | undefined {
    const now = nowMs();
    const ends = this.#model.activeLeases
      .filter((lease) => lease.state === 'active' && (dueAt(lease) > now || this.#canEnd(lease)))
      .map(dueAt);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  /**
   * Not while its step is in progress: if a worker was killed before it could report, another one repeats the step, and would apply again what had been
   * released in between. Once the step has landed, the lease is checked again.
   */
  #canEnd(lease: Lease): boolean {
    return lease.state === 'active' && this.#model.steps.get(lease.stepKey)?.state !== 'running';
  }

  /** Its time is over, or its release is retried. Waits for nothing: an undo that hangs must not delay the end of another lease. */
  #due(lease: Lease): void {
    const reason = lease.refused && this.#model.holdings.get(lease.id)?.release;
    // Whether its end still releases it is decided by what is known now.
    if (!reason || reason.kind === 'lease-ended') this.#atEnd(lease);
    else void this.undo(lease.id, reason).catch(() => undefined);
  }

  #atEnd(lease: Lease): void {
    const { severity } = this.#model;
    const { verdict, proof } = verdictOn(this.#model, lease);
    const questionOpen = [...this.#model.questions.values()].some(
      (question) => question.status.state === 'open' && !question.question.id.startsWith('lease:'),
    );
    const decision = atLeaseEnd(lease, { severity, verdict, questionOpen, now: nowMs() });
    if (decision === 'release') {
      // A refusal is already recorded; the lease then stays, and people are called.
      void this.undo(lease.id, { kind: 'lease-ended', verdict, severity, ...(proof ? { proof } : {}) }).catch(() => undefined);
      return;
    }
    const kept = this.withoutRelease(lease);
    const renewed = { ...kept, until: nowMs() + lease.durationMs, renewals: lease.renewals + 1 };
    this.update(renewed);
    this.#events.renewed(renewed);
    const text = decision === 'escalate' ? leaseNews.escalated(lease) : leaseNews.renewed(lease);
    this.#model.record(decision === 'escalate' ? 'lease.escalated' : 'lease.renewed', 'engine', text, {
      lease: lease.id,
      renewals: lease.renewals + 1,
    });
    this.#events.page(text);
    this.#events.changed();
  }

  /** People have decided to release it, but it is still in force. */
  #staysContained(lease: Lease, text: string): void {
    this.#model.record('lease.release-refused', 'engine', text, { lease: lease.id });
    this.#events.page(text);
  }

  #refused(lease: Lease, failure: StepFailure): void {
    const kept = this.withoutRelease(lease);
    this.update({ ...kept, state: 'active', until: nowMs() + lease.durationMs, detail: failure.message });
    this.#tellRefused(lease, leaseNews.refused(lease, failure.message), failure);
  }

  #refusedForNow(lease: Lease, release: UndoReason, failure: StepFailure): void {
    const { message: why } = failure;
    const now = nowMs();
    const { refused, isTold } = refusedAgain(lease.refused, { now, why });
    const holding = this.#model.holdings.get(lease.id);
    if (holding) this.#model.holdings.set(lease.id, { ...holding, release });
    this.update({ ...lease, state: 'active', until: Math.max(lease.until, refused.nextAt), detail: why, refused });
    this.#events.changed();
    const next = new Date(refused.nextAt).toISOString();
    if (isTold) this.#tellRefused(lease, leaseNews.refusedForNow(lease, why, next), failure, { next });
  }

  /** @param next time of the next attempt: from then on the cell checks whether it has succeeded */
  #tellRefused(lease: Lease, text: string, { code }: StepFailure, again: { readonly next?: string } = {}): void {
    this.#model.record('lease.release-refused', 'engine', text, { lease: lease.id, code, ...again });
    this.#events.page(text);
  }

  #end(lease: Lease, state: LeaseEnd | 'permanent', detail: string): void {
    const { refused: _, ...kept } = lease;
    this.update({ ...kept, state, detail, ...(state !== 'permanent' && { endedAt: nowMs() }) });
    this.#model.holdings.delete(lease.id);
    this.#model.record(`lease.${state}`, 'engine', leaseNews[state](lease, detail), { lease: lease.id });
    this.#events.ended(lease.id, detail);
    const step = this.#model.steps.get(lease.stepKey);
    if (step && state !== 'permanent')
      this.#model.steps.set(step.key, { ...step, state: state === 'drifted' ? 'drifted' : 'undone', detail });
    if (state !== 'permanent') this.#events.page(leaseNews[state](lease, detail));
    this.#events.changed();
  }
}

function endOf(state: UndoResult['state']): LeaseEnd {
  return state === 'drifted' || state === 'gone' ? state : 'released';
}

/** When the next action is due, in milliseconds since 1970: its release is retried, or its time is over. */
function dueAt({ refused, until }: Lease): number {
  return refused?.nextAt ?? until;
}

/** A refusal by Firebreak's own rules is for people to decide; the undo of a pack's own action is for them to order again. */
function comesLater({ call }: Holding, { code }: StepFailure): boolean {
  return declarationOf(call.action).pool !== 'packs' && (code === 'FB_ERR_API_REFUSED' || errorCatalogue[code].retryable);
}
