import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { additivePolicies } from '../../../activities/actions/containment/quarantine-plan.ts';
import { markDifference } from '../../../activities/actions/containment/quarantine-pod.ts';
import type { Chokepoint } from '../../../activities/chokepoint/chokepoint.ts';
import type { LandedSteps } from '../../../activities/memory/landed-steps.ts';
import type { MemoryKeeper } from '../../../activities/memory/memory.ts';
import type { TargetName } from '../../../core/action/plan.ts';
import type { QuarantineExceptions } from '../../../core/action/quarantine-exceptions.ts';
import type { CellActivities, StepCall, UndoReason } from '../../../core/action/step.ts';
import { tools } from '../../../core/actions/in-container-rights.ts';
import {
  actions,
  blockEgress,
  isolateNamespace,
  quarantinePod,
  quarantineWorkload,
  suspendCronJob,
} from '../../../core/actions/index.ts';
import {
  authenticState,
  type BeforeState,
  type CellKey,
  type GivenBackBy,
  givenBackBy,
  heldSince,
  type QuarantineMarks,
  quarantineMarks,
} from '../../../core/cluster/before-state.ts';
import type { HeldContainment } from '../../../core/cluster/cluster-resources.ts';
import type { DenyTier } from '../../../core/cluster/deny-tier.ts';
import { names } from '../../../core/cluster/labels.ts';
import type { ObjectNote } from '../../../core/cluster/object-note.ts';
import { type PodRecord, policyTarget } from '../../../core/cluster/pod-record.ts';
import type { IncidentNote } from '../../../core/incident/incident.ts';
import { standingRecord } from '../../../integrations/kubernetes/policies/standing-policy.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import type { ContainedPods, ReportedRestarts } from '../contained-pods.ts';
import { Fights, type Line } from './fights.ts';
import type { HeldObjects } from './held-objects.ts';
import { type ChangedPolicy, MadePolicies, type MadePolicy } from './made-policies.ts';
import { mayBeRunByHand, runsDespite } from './suspended-runs.ts';

/** What an incident says of the lease of a step. `not released`: also where it is not there, or knows of no such step. */
export type ReleaseSaid = 'released' | 'being released' | 'not released';

interface HoldContainmentParts {
  readonly chokepoint: Pick<Chokepoint, 'apply'>;
  readonly view: ClusterView;
  readonly cellKey: CellKey;
  readonly pods: ContainedPods;
  /** What actions hold besides pods and policies. */
  readonly objects: HeldObjects;
  /** Where it is kept which policies actions have made. */
  readonly madePolicies?: MemoryKeeper<MadePolicy>;
  /** What this cell has itself given back. */
  readonly landed: Pick<LandedSteps, 'wasUndone' | 'wasReleased'>;
  /** What the cluster denies by beside NetworkPolicies. */
  readonly denyTier: () => DenyTier | undefined;
  readonly exceptions: QuarantineExceptions;
  /** The image that our own ephemeral containers are of. Absent: there are none. */
  readonly toolsImage?: string | undefined;
  /** A line for the incident's record, which is kept until the incident has it. Sent again under the same id. */
  readonly note: (incident: string, note: IncidentNote) => Promise<void>;
  /** Who else than the cell has set a pod's labels last, as they call themselves. */
  readonly lastManager?: (pod: { readonly namespace: string; readonly name: string }) => Promise<string | undefined>;
  readonly log: Logger;
  readonly everyMs?: number;
  /** How long people are not told of a change while nobody can say whether another replica has given the object back. */
  readonly unclearMs?: number;
}

/** What denies by label or by policy, or holds an object: while one of them is given back, that is no change by somebody else. */
const denying: ReadonlySet<string> = new Set([
  ...[quarantinePod, quarantineWorkload, isolateNamespace, blockEgress].map(({ name }) => name),
  ...actions.filter(({ holds }) => holds !== undefined).map(({ name }) => name),
]);
/** Those without a lease: their incident cannot say that it holds them still. */
const withoutLease: ReadonlySet<string> = new Set(
  actions.filter(({ effect }) => effect !== 'reversible').map(({ name }) => name),
);
/** Changes that come together are looked at together. */
const togetherMs = 50;
/** Besides each change: for what no watch brings, and for what could not be put back. */
const lookEveryMs = 2_000;
const applyWithinMs = 5_000;
const unclearWithinMs = 60_000;
/** Of so many all are looked at in each round, which takes some 25 ms of the processor. */
const mostInRound = 300;

/** A note that the cell has sealed, and what is on its pod with it. */
interface ProvenNote {
  readonly note: string;
  readonly state: BeforeState;
  readonly marks: QuarantineMarks;
}

/**
 * Which quarantined pods are looked at without anything new of them. A change is looked at when the watch brings it, so this is for what no watch brings: of few
 * pods all, each time. Of thousands a round would take a tenth of a processor and more: then those that are not in order, and some of the others in turn.
 */
export class LookRounds {
  readonly #again = new Set<string>();
  #begun = 0;

  /** It could not be looked at to the end: the next round has it. */
  again(uid: string): void {
    this.#again.add(uid);
  }

  next(held: ReadonlySet<string>, isInOrder: (uid: string) => boolean): ReadonlySet<string> {
    const again = new Set(this.#again);
    this.#again.clear();
    if (held.size <= mostInRound) return held;
    const all = [...held];
    const urgent = all.filter((uid) => again.has(uid) || !isInOrder(uid));
    const begun = this.#begun % all.length;
    this.#begun = begun + mostInRound;
    // From the beginning again where it reaches the end.
    const inTurn = [...all, ...all].slice(begun, begun + mostInRound);
    return new Set([...urgent, ...inTurn]);
  }
}

/**
 * Keeps what is quarantined quarantined. Each change of such a pod, its labels and notes, and of the policies of its namespace is judged when the
 * watch brings it: what the cell wrote is put back, what others have made beside it is called partial, and the incident is told of both. What
 * was on the pod is remembered by the cell, so that an edited note neither frees it nor loses what it was before.
 *
 * That a pod was given back is known from this cell's own undo, or from the mark that the cell which did it has sealed onto the pod. Temporal is not
 * asked: whoever can silence or delete an incident there would free its pods by taking all marks off them.
 */
export class HoldContainment {
  readonly #parts: HoldContainmentParts;
  readonly #policies: MadePolicies;
  readonly #fights = new Fights();
  /** By pod, of fights that were given up: it is asked for once, so that it is told once. */
  readonly #changers = new Map<string, string>();
  readonly #waiting = new Set<string>();
  readonly #underway = new Set<string>();
  readonly #rounds = new LookRounds();
  /** Pods that this process has seen with anything of a quarantine on them. */
  readonly #seen = new Set<string>();
  /** By uid: a note is proven once and not at each look, since all pods are looked at every two seconds and in the middle of a burst. */
  readonly #proven = new Map<string, ProvenNote>();
  /** By incident, how many undos of its containments are underway. */
  readonly #givingBack = new Map<string, number>();
  /** How many undos have begun. */
  #undos = 0;
  /** Held objects that something may have become of. */
  readonly #unjudged = new Set<string>();
  /** By held object or policy, since when nobody could say whether it was given back. */
  readonly #unclear = new Map<string, number>();
  #releaseSaid: ((incident: string, step: string) => Promise<ReleaseSaid>) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: HoldContainmentParts) {
    this.#parts = parts;
    this.#policies = new MadePolicies(parts.cellKey, parts.madePolicies);
  }

  start(): void {
    const { view, pods, objects, everyMs } = this.#parts;
    view.onPod((pod) => this.#see(pod));
    view.onPolicies((namespace) => {
      if (this.#stopped) return;
      this.#madePolicies(namespace);
      for (const uid of pods.held()) if (view.podByUid(uid)?.namespace === namespace) this.#lookSoon(uid);
    });
    for (const pod of view.pods()) this.#see(pod);
    for (const namespace of view.namespaces()) this.#madePolicies(namespace);
    objects.start((key) => this.#judgeSoon(key));
    this.#timer = setInterval(() => {
      for (const uid of this.#proven.keys()) if (!pods.held().has(uid)) this.#proven.delete(uid);
      for (const uid of this.#rounds.next(pods.held(), (one) => this.#isInOrder(one))) this.#lookSoon(uid);
      for (const namespace of this.#policies.namespaces()) this.#madePolicies(namespace);
      for (const key of this.#unjudged) void this.#judgeObject(key);
    }, everyMs ?? lookEveryMs).unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    await this.#parts.objects.stop();
  }

  /** As it was told last, there, and with what the cell wrote on it. */
  #isInOrder(uid: string): boolean {
    const { pods, view } = this.#parts;
    const { held } = pods.get(uid) ?? {};
    const pod = view.podByUid(uid);
    return held?.told?.length === 0 && !held.isEnding && pod !== undefined && !pod.deleting && !isBare(pod);
  }

  /** What is in force by the notes that the cell has sealed, and what of it is not as it should be; of pods those, or all. */
  containments(of?: Iterable<string>): readonly HeldContainment[] {
    const { pods, objects } = this.#parts;
    const found: HeldContainment[] = [];
    for (const uid of of ?? pods.held()) {
      const { held } = pods.get(uid) ?? {};
      const proven = held && this.#provenBy(uid, held.note);
      if (!proven) continue;
      const { incident, step, terms } = proven.state;
      const problems = [...(held.told ?? []), ...(held.isEnding ? [`pod/${held.pod} is being deleted`] : [])];
      found.push({ target: `pod/${held.pod}`, uid, action: actionOf(step), incident, step, terms, problems });
    }
    const noted = ({ object, uid, action, incident, step, terms }: ObjectNote, problems: readonly string[]): HeldContainment => ({
      target: object,
      ...(uid !== undefined && { uid }),
      ...{ action, incident, step, terms, problems },
    });
    for (const { says, told } of objects.all()) found.push(noted(says, told));
    for (const { note, problems } of this.#policies.current()) found.push(noted(note, problems));
    return found;
  }

  /** From now on incidents can be asked. */
  ask(releaseSaid: (incident: string, step: string) => Promise<ReleaseSaid>): void {
    this.#releaseSaid = releaseSaid;
  }

  /** The cell's activities: what they give back is not taken again. */
  givingBack(activities: CellActivities): CellActivities {
    return {
      ...activities,
      undoStep: async (undo) => {
        if (!denying.has(undo.call.action)) return activities.undoStep(undo);
        const { id } = undo.call.incident;
        this.#undos += 1;
        this.#givingBack.set(id, (this.#givingBack.get(id) ?? 0) + 1);
        try {
          const result = await activities.undoStep(undo);
          this.#given(id, undo.reason);
          return result;
        } finally {
          const others = (this.#givingBack.get(id) ?? 1) - 1;
          if (others > 0) this.#givingBack.set(id, others);
          else this.#givingBack.delete(id);
          for (const key of this.#parts.objects.of(id)) this.#judgeSoon(key);
        }
      },
    };
  }

  #given(incident: string, reason: UndoReason): void {
    const { pods, view } = this.#parts;
    const votes = !('proof' in reason) ? [] : (reason.proof?.votes ?? []).map(({ vote }) => vote);
    const by = [...new Set(votes.map(({ person }) => person))];
    // What came after somebody's answer was not before them.
    const given = by.length === 0 ? {} : { by, askedUntil: Math.min(...votes.map(({ at }) => Date.parse(at))) };
    for (const uid of pods.held()) {
      const { held, incident: of } = pods.get(uid) ?? {};
      if (of !== incident) continue;
      const [pod, state] = [view.podByUid(uid), held && this.#provenBy(uid, held.note)?.state];
      if (pod && state && isBare(pod) && this.#givenBackBy(pod, state) === 'cell') this.#keep(uid, pods.letGo(uid, given));
    }
  }

  /** What a wider step made is not made again by itself: people decided on it, and hear of it. */
  #madePolicies(namespace: string): void {
    const { view } = this.#parts;
    // What was not listed yet is not gone.
    if (!view.ready()) return;
    const seen = {
      namespace,
      policies: [...view.policies(namespace), ...view.otherPolicies(namespace)],
      pods: () => view.pods(namespace),
    };
    const changes = this.#policies.changes(seen, (incident) => this.#givingBack.has(incident));
    for (const change of changes)
      void this.#tellOfPolicy(change).catch((error: unknown) =>
        this.#parts.log.error({ object: change.object, reason: reasonOf(error) }, 'a changed policy could not be told'),
      );
  }

  async #tellOfPolicy({ incident, step, object, isGone, problems }: ChangedPolicy): Promise<void> {
    while (isGone) {
      const released = await this.#wasReleased({ key: object, incident, step, object });
      if (released || this.#stopped) return;
      if (released === false) break;
      await sleep(this.#parts.everyMs ?? lookEveryMs, undefined, { ref: false });
    }
    const isWrong = problems.length > 0;
    const line = isGone ? onlyLine(object) : this.#fights.line(object, { isWrong });
    if (!line) return;
    if (!isGone) this.#policies.told(object, problems);
    await this.#tell(
      { uid: object, about: object, incident },
      !isGone && !isWrong
        ? { kind: 'containment.whole', text: `${object} is as it was again` }
        : {
            kind: 'containment.changed',
            text: `${object}, which this incident made, ${isGone ? 'is gone: what it denied may be open' : `does not hold any more as it should: ${problems.join('; ')}`}`,
          },
      line,
    );
  }

  /**
   * Whether what a step holds beside pods was given back: by this cell, or by a replica of it, as the incident says with a cell's signature. Nothing
   * is put back by that, people are told or not: so an incident that is gone or does not know says no. Undefined where nobody can say for the
   * moment, which lasts for a minute at most.
   */
  async #wasReleased(of: {
    readonly key: string;
    readonly incident: string;
    readonly step: string;
    readonly object: TargetName;
    readonly uid?: string;
  }): Promise<boolean | undefined> {
    const { landed, unclearMs = unclearWithinMs } = this.#parts;
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

  #see(pod: PodRecord): void {
    if (this.#stopped) return;
    const { pods, objects } = this.#parts;
    const { uid, labels, annotations } = pod;
    if (!isBare(pod)) this.#seen.add(uid);
    const text = annotations[names.beforeAnnotation];
    const known = pods.get(uid);
    if (text !== undefined && labels[names.quarantineLabel] === 'active' && text !== known?.held?.note) {
      const state = this.#provenBy(uid, text)?.state;
      // One that was kept from before, and put back, says what was.
      const since = Math.max(known?.held?.takenAt ?? 0, known?.releasedAt ?? 0);
      if (state && heldSince(state) >= since)
        this.#keep(
          uid,
          pods.hold(uid, state.incident, {
            note: text,
            takenAt: heldSince(state),
            pod: `${pod.namespace}/${pod.name}`,
            runs: runsIn(pod),
            restarts: restartsBefore(pod),
          }),
        );
    }
    if (pods.get(uid)?.held) this.#lookSoon(uid);
    if (mayBeRunByHand(pod)) for (const key of objects.in(pod.namespace, suspendCronJob.name)) this.#judgeSoon(key);
  }

  #judgeSoon(key: string): void {
    this.#unjudged.add(key);
    void this.#judgeObject(key);
  }

  /** What it could not be told of now, it is told of at the next look. */
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
      this.#parts.log.error({ object: key, reason: reasonOf(error) }, 'an object that is held could not be looked at');
    } finally {
      this.#underway.delete(key);
    }
  }

  /** What an action holds beside pods is not taken again: people decided on it, and hear of it. False where that has to wait. */
  async #isJudged(key: string): Promise<boolean> {
    const { objects, view } = this.#parts;
    const held = objects.get(key);
    if (!held) return true;
    const { says, action, told } = held;
    const { incident, step, object: about } = says;
    if (this.#givingBack.has(incident)) return false;
    const undos = this.#undos;
    const { state, object, difference: changed } = await objects.look(key);
    const despite = action === suspendCronJob.name && object ? runsDespite(object, { view, since: says.terms.at }) : [];
    const difference = [...changed, ...despite];
    // What was seen while something was given back may be half of it.
    if (this.#stopped || this.#undos !== undos) return false;
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
      const line = this.#fights.line(key, { isWrong: difference.length > 0 });
      if (!line) return false;
      objects.told(key, difference);
      await this.#tell(
        { uid: key, about, incident },
        difference.length === 0
          ? { kind: 'containment.whole', text: `${about} is again as ${action} left it` }
          : { kind: 'containment.changed', text: `${about} is no longer as ${action} left it: ${difference.join('; ')}` },
        line,
      );
    }
    if ((state === 'gone' && !objects.outlivesObject(key)) || (state === 'not held' && lacksLease)) objects.forget(key);
    return true;
  }

  #lookSoon(uid: string): void {
    this.#waiting.add(uid);
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const one of waiting) void this.#inTurn(one);
    }, togetherMs).unref();
  }

  async #inTurn(uid: string): Promise<void> {
    if (this.#stopped) return;
    // What comes meanwhile is seen at the next look.
    if (this.#underway.has(uid)) return this.#rounds.again(uid);
    this.#underway.add(uid);
    try {
      await this.#look(uid);
    } catch (error) {
      this.#rounds.again(uid);
      this.#parts.log.error({ pod: uid, reason: reasonOf(error) }, 'a quarantined pod could not be looked at');
    } finally {
      this.#underway.delete(uid);
    }
  }

  async #look(uid: string): Promise<void> {
    const { pods, view } = this.#parts;
    const known = pods.get(uid);
    if (!known?.held) return;
    if (!view.ready() || this.#givingBack.has(known.incident)) return this.#rounds.again(uid);
    const pod = view.podByUid(uid);
    const proven = this.#provenBy(uid, known.held.note);
    if (!proven) {
      this.#forget(uid);
      return;
    }
    const { state, marks } = proven;
    if (!pod || pod.deleting) await this.#ending({ uid, name: known.held.pod, incident: state.incident, ends: pod?.endsAt });
    if (!pod) {
      this.#forget(uid);
      return;
    }
    await this.#otherContainers(pod, state);
    await this.#restarted(pod, state);
    await this.#ended(pod, state);
    if (isBare(pod) && !(await this.#mustBeTakenAgain(pod, state))) return;
    const changed = [...markDifference(pod, marks), ...this.#standing(pod.namespace)];
    const open = this.#open(pod.namespace, state.incident);
    if (changed.length === 0) {
      this.#fights.calm(uid);
      this.#changers.delete(uid);
    }
    const lost = changed.length === 0 ? undefined : this.#fights.whyNot(uid);
    if (lost !== undefined) changed.push(`${lost}${await this.#whoChanges(pod)}`);
    else if (changed.length > 0) {
      const failure = await this.#putBack(pod, state);
      if (failure === undefined) {
        this.#fights.putBack(uid);
        await this.#tell(toTell(pod, state), {
          kind: 'containment.reasserted',
          text: `somebody changed the quarantine of pod/${pod.namespace}/${pod.name}, and it is in force again: ${changed.join('; ')}`,
        });
        this.#lookSoon(uid);
        return;
      }
      changed.push(failure);
    }
    await this.#judged(pod, state, [...changed, ...open]);
  }

  /** A controller that takes it off again says what it is, by its field manager. */
  async #whoChanges({ uid, namespace, name }: PodRecord): Promise<string> {
    const known = this.#changers.get(uid);
    if (known !== undefined) return known;
    const manager = await this.#parts.lastManager?.({ namespace, name }).catch(() => undefined);
    const text = manager === undefined ? '' : ` (its labels were last set by ${manager})`;
    this.#changers.set(uid, text);
    return text;
  }

  #provenBy(uid: string, note: string): ProvenNote | undefined {
    const known = this.#proven.get(uid);
    if (known?.note === note) return known;
    const { cellKey } = this.#parts;
    const state = authenticState({ text: note, podUid: uid, key: cellKey });
    if (!state) return undefined;
    const proven = { note, state, marks: quarantineMarks(state, cellKey) };
    this.#proven.set(uid, proven);
    return proven;
  }

  /**
   * What it did is lost with it: whoever may delete pods can do that, and people hear of it. They may also say how long its containers get, so it is
   * held on until it is gone.
   */
  async #ending(pod: {
    readonly uid: string;
    readonly name: string;
    readonly incident: string;
    readonly ends: string | undefined;
  }): Promise<void> {
    const { uid, name, incident, ends } = pod;
    const { pods } = this.#parts;
    if (pods.get(uid)?.held?.isEnding) return;
    this.#keep(uid, pods.nowSays(uid, { isEnding: true }));
    const until = ends === undefined ? '' : `; its containers may run until ${ends}`;
    await this.#tell(
      { uid, about: `pod/${name}`, incident },
      { kind: 'containment.gone', text: `pod/${name} is being deleted, or is gone, while it is quarantined${until}` },
      onlyLine(uid),
    );
  }

  /**
   * Whoever gives a container another image has the one before ended, with what is in its memory and its files; so may who gives it other resources or the pod a
   * deadline. Who adds a container can change what is evidence. It holds all the same.
   */
  async #otherContainers(pod: PodRecord, state: BeforeState): Promise<void> {
    const { pods } = this.#parts;
    const before = pods.get(pod.uid)?.held?.runs ?? {};
    const runs = runsIn(pod);
    if (isDeepStrictEqual(before, runs)) return;
    this.#keep(pod.uid, pods.nowSays(pod.uid, { runs }));
    const about = `pod/${pod.namespace}/${pod.name}`;
    const changed = [...new Set([...Object.keys(before), ...Object.keys(runs)])].filter((name) => runs[name] !== before[name]);
    const containers = new Set(pod.containers.map(({ name }) => name));
    const other = changed.filter((name) => before[name] !== undefined && !isTerm(name));
    const added = changed.filter(
      (name) => before[name] === undefined && containers.has(name) && !this.#isTools(name, runs[name]),
    );
    const terms = changed.filter(isTerm);
    const texts = [
      other.length > 0 &&
        `somebody changed what runs in ${about} while it is quarantined, and what was in its memory and files is lost: ${other.map((name) => `container ${name} was ${before[name]}, and is ${runs[name] ?? 'not there any more'}`).join('; ')}`,
      added.length > 0 &&
        `somebody added a container to ${about} while it is quarantined, which can read and change what is in it: ${added.map((name) => `${name} (${runs[name]})`).join(', ')}`,
      terms.length > 0 &&
        `somebody changed ${about} while it is quarantined, so that its node may end what runs in it: ${terms.map((name) => `${name} was ${before[name] ?? 'not set'}, and is ${runs[name] ?? 'not set'}`).join('; ')}`,
    ];
    for (const text of texts) if (text !== false) await this.#tell(toTell(pod, state), { kind: 'containment.changed', text });
  }

  /** Our own tools come into a pod as ephemeral containers. Of their image nobody can run anything but them. */
  #isTools(name: string, image: string | undefined): boolean {
    const { toolsImage } = this.#parts;
    return toolsImage !== undefined && image === toolsImage && name.startsWith(tools.namePrefix);
  }

  /**
   * What was in its memory is lost, and its processes are other ones. Whoever is cut off may also end by itself again and again: of each container people hear
   * once, and then of ten, a hundred and so on.
   */
  async #restarted(pod: PodRecord, state: BeforeState): Promise<void> {
    const { pods } = this.#parts;
    const known = pods.get(pod.uid)?.held?.restarts;
    const containers = new Set(pod.containers.map(({ name }) => name));
    const due = Object.entries(pod.restarted ?? {}).filter(
      ([name, { times }]) => containers.has(name) && isNewsOf(times, known?.[name]),
    );
    if (!known || due.length === 0) return;
    const told = due.map(([name, { times }]) => [name, { before: known[name]?.before ?? 0, told: times }] as const);
    this.#keep(pod.uid, pods.nowSays(pod.uid, { restarts: { ...known, ...Object.fromEntries(told) } }));
    const texts = due.map(([name, { times, ended }]) => {
      const since = times - (known[name]?.before ?? 0);
      return `${name}${since === 1 ? '' : `, ${since} times`}${ended === undefined ? '' : ` (${ended})`}`;
    });
    const text = `a container of pod/${pod.namespace}/${pod.name} has ended and was started again while it is quarantined, and what was in its memory is lost: ${texts.join('; ')}`;
    await this.#tell(toTell(pod, state), { kind: 'containment.changed', text }, onlyLine(pod.uid, 'restart'));
  }

  /** By a deadline, by its node that is short of something, or by itself: what was in its memory is lost, however it came. */
  async #ended(pod: PodRecord, state: BeforeState): Promise<void> {
    const { uid, namespace, name, phase } = pod;
    const { pods } = this.#parts;
    const { held } = pods.get(uid) ?? {};
    if ((phase !== 'Failed' && phase !== 'Succeeded') || !held || held.hasEnded) return;
    this.#keep(uid, pods.nowSays(uid, { hasEnded: true }));
    await this.#tell(
      toTell(pod, state),
      {
        kind: 'containment.gone',
        text: `all containers of pod/${namespace}/${name} have ended (${phase}) while it is quarantined: what was in their memory is lost`,
      },
      onlyLine(uid),
    );
  }

  /** Tells what is not as it should be, once. */
  async #judged(pod: PodRecord, state: BeforeState, wrong: readonly string[]): Promise<void> {
    const { pods } = this.#parts;
    const { told } = pods.get(pod.uid)?.held ?? {};
    if (told !== undefined && told.join('\n') === wrong.join('\n')) return;
    const about = `pod/${pod.namespace}/${pod.name}`;
    const marksWrong = wrong.some((one) => !isPolicyText(one));
    // What was so when it was taken is in its step's own check.
    const isNews = told !== undefined || marksWrong;
    const line = isNews ? this.#fights.line(pod.uid, { isWrong: wrong.length > 0 }) : undefined;
    // What cannot be said now is said when it can be: until then what was said last counts.
    if (isNews && !line) return this.#rounds.again(pod.uid);
    this.#keep(pod.uid, pods.nowSays(pod.uid, { told: wrong }));
    if (!line) return;
    await this.#tell(
      toTell(pod, state),
      wrong.length === 0
        ? { kind: 'containment.whole', text: `the quarantine of ${about} is whole again` }
        : {
            kind: 'containment.changed',
            text: `the quarantine of ${about} does not hold any more as it should: ${wrong.join('; ')}`,
          },
      line,
    );
  }

  /** Nothing of ours is left on it: it was given back, here or by another replica or by hand, or robbed of all at once. */
  async #mustBeTakenAgain(pod: PodRecord, state: BeforeState): Promise<boolean> {
    const { pods } = this.#parts;
    const { uid, namespace, name } = pod;
    const by = this.#givenBackBy(pod, state);
    if (by === undefined && this.#seen.has(uid)) return true;
    this.#keep(uid, pods.letGo(uid, {}));
    if (by === 'cell') return false;
    // As the way out by hand says. That stands, and is no secret.
    const how = by === 'hand' ? 'with the cell’s key' : 'while the cell was stopped';
    await this.#tell(toTell(pod, state), {
      kind: 'containment.changed',
      text: `the quarantine of pod/${namespace}/${name} was taken off by hand ${how}, and is not put back: somebody must decide`,
    });
    return false;
  }

  #givenBackBy(pod: PodRecord, state: BeforeState): GivenBackBy | undefined {
    const { landed, cellKey } = this.#parts;
    const { uid, namespace, name } = pod;
    if (landed.wasReleased({ object: `pod/${namespace}/${name}`, uid, step: state.step })) return 'cell';
    return givenBackBy(pod, state, cellKey);
  }

  /** The standing policy: denied by it alone is what has no tier above. */
  #standing(namespace: string): string[] {
    const { view, exceptions } = this.#parts;
    const found = view.policies(namespace).find(({ name }) => name === names.standingPolicy);
    const policy = `networkpolicy/${namespace}/${names.standingPolicy}`;
    if (found === undefined) return [`${policy} is missing`];
    return standingRecord(found, exceptions) === 'changed' ? [`${policy} was changed`] : [];
  }

  #open(namespace: string, incident: string): readonly string[] {
    const { view, denyTier } = this.#parts;
    const policies = [...view.policies(namespace), ...view.otherPolicies(namespace)];
    return additivePolicies(policies, { incident, denyTier: denyTier() }).map(
      (policy) => `${policyTarget(policy)} allows its traffic`,
    );
  }

  /** Why not; undefined where it is in force again. */
  async #putBack(pod: PodRecord, { incident, step }: BeforeState): Promise<string | undefined> {
    const { chokepoint, log } = this.#parts;
    const { namespace, name, uid } = pod;
    const said = { incident, step, pod: `${namespace}/${name}` };
    const call: StepCall = {
      key: step,
      action: 'quarantinePod',
      input: { pod: { namespace, name, uid } },
      incident: { id: incident, run: '' },
      incidentTitle: incident,
      playbook: 'engine',
      severity: 'unknown',
      ownerContained: 0,
      evidence: [],
      evidenceDeadline: new Date(0).toISOString(),
    };
    try {
      const signal = AbortSignal.timeout(applyWithinMs);
      await chokepoint.apply(call, { key: step, incident, run: '', fast: true, signal });
      log.warn(said, 'a quarantine was changed by somebody, and is in force again');
      return undefined;
    } catch (error) {
      log.error({ ...said, reason: reasonOf(error) }, 'a quarantine was changed by somebody, and could not be put back');
      return `it could not be put back: ${reasonOf(error)}`;
    }
  }

  async #tell(
    { uid, about, incident }: { readonly uid: string; readonly about: string; readonly incident: string },
    { kind, text }: Pick<IncidentNote, 'kind' | 'text'>,
    line = this.#fights.line(uid, { isWrong: false }),
  ): Promise<void> {
    const { note, log } = this.#parts;
    log.warn({ incident, about }, text);
    if (line) await note(incident, { id: line.id, kind, text: `${text}${line.end}`, about });
  }

  #forget(uid: string): void {
    this.#fights.forget(uid);
    this.#changers.delete(uid);
    this.#seen.delete(uid);
    this.#proven.delete(uid);
    this.#keep(uid, this.#parts.pods.letGo(uid));
  }

  #keep(uid: string, kept: Promise<void>): void {
    kept.catch(() => this.#parts.log.error({ pod: uid }, 'could not store what is known about a contained pod'));
  }
}

/** Of an end there is one, and of restarts there are few: they are told however much was said before. */
function onlyLine(of: string, what: 'end' | 'restart' = 'end'): Line {
  return { id: `containment/${of}/${Date.now()}-${what}`, end: '' };
}

function restartsBefore({ restarted = {} }: PodRecord): Readonly<Record<string, ReportedRestarts>> {
  return Object.fromEntries(Object.entries(restarted).map(([name, { times }]) => [name, { before: times, told: times }]));
}

function isNewsOf(times: number, { before, told }: ReportedRestarts = { before: 0, told: 0 }): boolean {
  return told === before ? times > before : times - before >= 10 * (told - before);
}

/** Images by container, of those that its kubelet starts anew when the image is another one, and what else its node may end them for. */
function runsIn({ containers, endsBy }: PodRecord): Readonly<Record<string, string>> {
  return { ...Object.fromEntries(containers.map(({ name, image }) => [name, image])), ...endsBy };
}

/** Names of containers have no blank. */
function isTerm(name: string): boolean {
  return name.includes(' ');
}

/** Nothing of a quarantine is on it. */
function isBare({ labels, annotations }: PodRecord): boolean {
  const marks = [names.beforeAnnotation, names.incidentAnnotation, names.stepAnnotation];
  return labels[names.quarantineLabel] === undefined && marks.every((name) => annotations[name] === undefined);
}

function toTell({ uid, namespace, name }: PodRecord, { incident }: BeforeState) {
  return { uid, about: `pod/${namespace}/${name}`, incident };
}

/** Of the two actions that quarantine pods the one that took it: keys of steps name their action. */
function actionOf(step: string): string {
  return step.split('/').includes(quarantineWorkload.name) ? quarantineWorkload.name : quarantinePod.name;
}

function isPolicyText(text: string): boolean {
  return /^[a-z-]*networkpolicy\//.test(text);
}
