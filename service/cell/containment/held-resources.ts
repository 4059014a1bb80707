import { setTimeout as sleep } from 'node:timers/promises';
import type { LandedSteps } from '../../../activities/memory/landed-steps.ts';
import type { TargetName } from '../../../core/action/plan.ts';
import { actions, suspendCronJob } from '../../../core/actions/index.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import { type Fights, onlyLine, type Tell } from './fights.ts';
import type { GivingBack } from './giving-back.ts';
import type { HeldObjects } from './held-objects.ts';
import type { ChangedPolicy, MadePolicies } from './made-policies.ts';
import { runsDespite } from './suspended-runs.ts';

/** What an incident says about the lease of a step. `not released`: also if the lease is not there, or the incident knows no such step. */
export type ReleaseSaid = 'released' | 'being released' | 'not released';

interface HeldResourcesParts {
  readonly view: ClusterView;
  readonly objects: HeldObjects;
  readonly policies: MadePolicies;
  /** What this cell itself has released. */
  readonly landed: Pick<LandedSteps, 'wasUndone' | 'wasReleased'>;
  readonly givingBack: Pick<GivingBack, 'isUnderway' | 'begun'>;
  readonly fights: Fights;
  readonly tell: Tell;
  readonly log: Logger;
  readonly everyMs: number;
  /** How long people are not told of a change while it is unknown whether another replica has released the object. */
  readonly unclearMs: number;
}

/** Actions without a lease: their incident cannot say that it still holds them. */
const withoutLease: ReadonlySet<string> = new Set(
  actions.filter(({ effect }) => effect !== 'reversible').map(({ name }) => name),
);

/**
 * What actions hold apart from pods: the policies that they made, and other objects. If somebody changes these, they are not restored: people decided on them,
 * and are told.
 */
export class HeldResources {
  readonly #parts: HeldResourcesParts;
  /** Held objects that may have changed. */
  readonly #unjudged = new Set<string>();
  readonly #underway = new Set<string>();
  /** By held object or policy: since when it has been unknown whether it was released. */
  readonly #unclear = new Map<string, number>();
  #releaseSaid: ((incident: string, step: string) => Promise<ReleaseSaid>) | undefined;
  #stopped = false;

  constructor(parts: HeldResourcesParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Call this once incidents can be asked. */
  ask(releaseSaid: (incident: string, step: string) => Promise<ReleaseSaid>): void {
    this.#releaseSaid = releaseSaid;
  }

  /** For changes that no watch reports, and those that could not be reported to people. */
  lookAgain(): void {
    for (const namespace of this.#parts.policies.namespaces()) this.lookAtPolicies(namespace);
    for (const key of this.#unjudged) void this.#judgeObject(key);
  }

  /** The policies of a wider step are not restored automatically: people decided on them, and are told. */
  lookAtPolicies(namespace: string): void {
    const { view, policies, givingBack } = this.#parts;
    // Before the first list is complete, a missing policy is not gone.
    if (!view.ready()) return;
    const seen = {
      namespace,
      policies: [...view.policies(namespace), ...view.otherPolicies(namespace)],
      pods: () => view.pods(namespace),
    };
    const changes = policies.changes(seen, (incident) => givingBack.isUnderway(incident));
    for (const change of changes)
      void this.#tellOfPolicy(change).catch((error: unknown) =>
        this.#parts.log.error({ object: change.object, reason: reasonOf(error) }, 'cannot report a changed policy'),
      );
  }

  async #tellOfPolicy({ incident, step, object, isGone, problems }: ChangedPolicy): Promise<void> {
    const { policies, fights, tell, everyMs } = this.#parts;
    while (isGone) {
      const released = await this.#wasReleased({ key: object, incident, step, object });
      if (released || this.#stopped) return;
      if (released === false) break;
      await sleep(everyMs, undefined, { ref: false });
    }
    const isWrong = problems.length > 0;
    const line = isGone ? onlyLine(object) : fights.line(object, { isWrong });
    if (!line) return;
    if (!isGone) policies.told(object, problems);
    await tell(
      { uid: object, about: object, incident },
      !isGone && !isWrong
        ? { kind: 'containment.whole', text: `${object} is back as it was` }
        : {
            kind: 'containment.changed',
            text: `${object}, which this incident created, ${isGone ? 'is gone: what it denied may be allowed' : `is no longer fully in force: ${problems.join('; ')}`}`,
          },
      line,
    );
  }

  /**
   * Whether what a step holds apart from pods was released: by this cell, or by a replica of it according to the incident, with a cell's signature. The answer
   * restores nothing, it only decides whether people are told, so an incident that is gone or does not know counts as no. Undefined if it is unknown for the
   * moment, which lasts for a minute at most.
   */
  async #wasReleased(of: {
    readonly key: string;
    readonly incident: string;
    readonly step: string;
    readonly object: TargetName;
    readonly uid?: string;
  }): Promise<boolean | undefined> {
    const { landed, unclearMs } = this.#parts;
    const { key, incident, step } = of;
    if (landed.wasUndone(step) || landed.wasReleased(of)) return true;
    const said = await this.#releaseSaid?.(incident, step).catch(() => undefined);
    if (said === 'released' || said === 'not released') {
      this.#unclear.delete(key);
      return said === 'released';
    }
    const since = this.#unclear.get(key) ?? Date.now();
    this.#unclear.set(key, since);
    if (Date.now() - since < unclearMs) return undefined;
    this.#unclear.delete(key);
    return false;
  }

  judgeSoon(key: string): void {
    this.#unjudged.add(key);
    void this.#judgeObject(key);
  }

  /** Anything that cannot be reported now is reported at the next look. */
  async #judgeObject(key: string): Promise<void> {
    if (this.#stopped || this.#underway.has(key)) return;
    this.#underway.add(key);
    try {
      while (this.#unjudged.delete(key)) {
        if (await this.#isJudged(key)) continue;
        this.#unjudged.add(key);
        return;
      }
    } catch (error) {
      this.#unjudged.add(key);
      this.#parts.log.error({ object: key, reason: reasonOf(error) }, 'cannot check an object that a step changed');
    } finally {
      this.#underway.delete(key);
    }
  }

  /** What an action holds apart from pods is not contained again: people decided on it, and are told. Returns false if that has to wait. */
  async #isJudged(key: string): Promise<boolean> {
    const { objects, view, givingBack, fights, tell } = this.#parts;
    const held = objects.get(key);
    if (!held) return true;
    const { says, action, told } = held;
    const { incident, step, object: about } = says;
    if (givingBack.isUnderway(incident)) return false;
    const undos = givingBack.begun;
    const { state, object, difference: changed } = await objects.look(key);
    const despite = action === suspendCronJob.name && object ? runsDespite(object, { view, since: says.terms.at }) : [];
    const difference = [...changed, ...despite];
    // What was seen during a release may be half-done.
    if (this.#stopped || givingBack.begun !== undos) return false;
    const lacksLease = withoutLease.has(action);
    if (difference.length > 0 && !lacksLease) {
      const released = await this.#wasReleased({ key, incident, step, object: about, uid: held.uid });
      if (released === undefined || this.#stopped) return false;
      if (released) {
        objects.forget(key);
        return true;
      }
    }
    if (told.join('\n') !== difference.join('\n')) {
      const line = fights.line(key, { isWrong: difference.length > 0 });
      if (!line) return false;
      objects.told(key, difference);
      await tell(
        { uid: key, about, incident },
        difference.length === 0
          ? { kind: 'containment.whole', text: `${about} is back as ${action} left it` }
          : { kind: 'containment.changed', text: `${about} is no longer as ${action} left it: ${difference.join('; ')}` },
        line,
      );
    }
    if ((state === 'gone' && !objects.outlivesObject(key)) || (state === 'not held' && lacksLease)) objects.forget(key);
    return true;
  }
}
