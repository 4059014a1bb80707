import { additivePolicies } from '../../../activities/actions/containment/quarantine-plan.ts';
import { markDifference } from '../../../activities/actions/containment/quarantine-pod.ts';
import type { Chokepoint } from '../../../activities/chokepoint/chokepoint.ts';
import type { LandedSteps } from '../../../activities/memory/landed-steps.ts';
import type { MemoryKeeper } from '../../../activities/memory/memory.ts';
import { isObservedRelease } from '../../../core/action/plan.ts';
import type { QuarantineExceptions } from '../../../core/action/quarantine-exceptions.ts';
import type { CellActivities, StepCall, UndoReason } from '../../../core/action/step.ts';
import { quarantinePod, quarantineWorkload, suspendCronJob } from '../../../core/actions/index.ts';
import {
  authenticState,
  type BeforeState,
  type CellKey,
  type GivenBackBy,
  givenBackBy,
  heldSince,
  observedFor,
  type QuarantineMarks,
  quarantineMarks,
} from '../../../core/cluster/before-state.ts';
import type { HeldContainment } from '../../../core/cluster/cluster-resources.ts';
import type { DenyTier } from '../../../core/cluster/deny-tier.ts';
import { names } from '../../../core/cluster/labels.ts';
import type { ObjectNote } from '../../../core/cluster/object-note.ts';
import { type PodRecord, policyTarget } from '../../../core/cluster/pod-record.ts';
import { plansApproved } from '../../../core/decide/approval.ts';
import type { IncidentNote } from '../../../core/incident/incident.ts';
import { standingRecord } from '../../../integrations/kubernetes/policies/standing-policy.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import { Turns } from '../../process/repeat.ts';
import type { ContainedPods } from '../contained-pods.ts';
import { type Changed, Fights, type Tell } from './fights.ts';
import { GivingBack } from './giving-back.ts';
import type { HeldObjects } from './held-objects.ts';
import { HeldResources, type ReleaseSaid } from './held-resources.ts';
import { MadePolicies, type MadePolicy } from './made-policies.ts';
import { containersNow, QuarantinedContainers, toTell } from './quarantined-containers.ts';
import { mayBeRunByHand } from './suspended-runs.ts';

interface HoldContainmentParts {
  readonly chokepoint: Pick<Chokepoint, 'apply'>;
  readonly view: ClusterView;
  readonly cellKey: CellKey;
  readonly pods: ContainedPods;
  /** What actions hold apart from pods and policies. */
  readonly objects: HeldObjects;
  /** Stores which policies actions have made. */
  readonly madePolicies?: MemoryKeeper<MadePolicy>;
  /** What this cell itself has released. */
  readonly landed: Pick<LandedSteps, 'wasUndone' | 'wasReleased'>;
  /** What the cluster can deny traffic with in addition to NetworkPolicies. */
  readonly denyTier: () => DenyTier | undefined;
  readonly exceptions: QuarantineExceptions;
  /** Image of our own ephemeral containers. Absent: there are none. */
  readonly toolsImage?: string | undefined;
  /** Sends a line for the incident's record; it is kept until the incident has it. Retries use the same id. */
  readonly note: (incident: string, note: IncidentNote) => Promise<void>;
  /** Returns who, other than the cell, last set a pod's labels, by the name they give themselves. */
  readonly lastManager?: (pod: { readonly namespace: string; readonly name: string }) => Promise<string | undefined>;
  readonly log: Logger;
  readonly everyMs?: number;
  /** How long changes are gathered that are checked together. */
  readonly togetherMs?: number;
  /** How long people are not told of a change while it is unknown whether another replica has released the object. */
  readonly unclearMs?: number;
}

/** Changes within this time are checked together. */
const usualTogetherMs = 50;
/** In addition to each change: for what no watch reports, and for what could not be restored. */
const lookEveryMs = 2_000;
const applyWithinMs = 5_000;
const unclearWithinMs = 60_000;
/** Up to this number, all are checked in each round, which takes about 25 ms of processor time. */
const mostInRound = 300;

/** A note that the cell has sealed, and the pod's state it goes with. */
interface ProvenNote {
  readonly note: string;
  readonly state: BeforeState;
  readonly marks: QuarantineMarks;
}

/**
 * Chooses which quarantined pods are checked without a change. Changes are checked when the watch reports them, so this is for what no watch reports. If there
 * are few pods, all are checked each time. With thousands, a round would take a tenth of a processor and more: then only those that are not in order are
 * checked, and some of the others in turn.
 */
export class LookRounds {
  readonly #again = new Set<string>();
  readonly #turns = new Turns(mostInRound);

  /** The check could not be completed: the next round repeats it. */
  again(uid: string): void {
    this.#again.add(uid);
  }

  next(held: ReadonlySet<string>, isInOrder: (uid: string) => boolean): ReadonlySet<string> {
    const again = new Set(this.#again);
    this.#again.clear();
    if (held.size <= mostInRound) return held;
    const all = [...held];
    const urgent = all.filter((uid) => again.has(uid) || !isInOrder(uid));
    return new Set([...urgent, ...this.#turns.next(all)]);
  }
}

/**
 * Keeps quarantined pods quarantined. Each change of such a pod, of its labels and notes, and of the policies of its namespace is judged when the watch reports
 * it: what the cell wrote is restored, additions by others are reported as partial, and the incident is told of both. The cell remembers what was on the pod,
 * so that an edited note neither frees it nor loses its previous state.
 *
 * A release is recognised by this cell's own undo, or by the mark that the releasing cell has sealed onto the pod. Temporal is not asked: anyone able to
 * silence or delete an incident there could free its pods by removing all marks from them.
 */
export class HoldContainment {
  readonly #parts: HoldContainmentParts;
  readonly #policies: MadePolicies;
  readonly #givingBack = new GivingBack();
  readonly #resources: HeldResources;
  readonly #containers: QuarantinedContainers;
  readonly #fights = new Fights();
  /** Who changed it, by pod, for fights that were given up: looked up once, so that it is reported once. */
  readonly #changers = new Map<string, string>();
  readonly #waiting = new Set<string>();
  readonly #underway = new Set<string>();
  readonly #rounds = new LookRounds();
  /** Pods that this process has seen with any trace of a quarantine. */
  readonly #seen = new Set<string>();
  /** By uid: a note is verified once and not at each look, since all pods are checked every two seconds and during bursts. */
  readonly #proven = new Map<string, ProvenNote>();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: HoldContainmentParts) {
    this.#parts = parts;
    this.#policies = new MadePolicies(parts.cellKey, parts.madePolicies);
    const tell: Tell = (...told) => this.#tell(...told);
    const { pods, toolsImage } = parts;
    this.#containers = new QuarantinedContainers({ pods, toolsImage, tell, keep: (uid, kept) => this.#keep(uid, kept) });
    this.#resources = new HeldResources({
      ...parts,
      policies: this.#policies,
      givingBack: this.#givingBack,
      fights: this.#fights,
      tell,
      everyMs: parts.everyMs ?? lookEveryMs,
      unclearMs: parts.unclearMs ?? unclearWithinMs,
    });
  }

  start(): void {
    const { view, pods, objects, everyMs } = this.#parts;
    view.onPod((pod) => this.#see(pod));
    view.onPolicies((namespace) => {
      if (this.#stopped) return;
      this.#resources.lookAtPolicies(namespace);
      for (const uid of pods.held()) if (view.podByUid(uid)?.namespace === namespace) this.#lookSoon(uid);
    });
    for (const pod of view.pods()) this.#see(pod);
    for (const namespace of view.namespaces()) this.#resources.lookAtPolicies(namespace);
    objects.start((key) => this.#resources.judgeSoon(key));
    this.#timer = setInterval(() => {
      for (const uid of this.#proven.keys()) if (!pods.held().has(uid)) this.#proven.delete(uid);
      for (const uid of this.#rounds.next(pods.held(), (one) => this.#isInOrder(one))) this.#lookSoon(uid);
      this.#resources.lookAgain();
    }, everyMs ?? lookEveryMs).unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#resources.stop();
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    await this.#parts.objects.stop();
  }

  /** Whether it is as last reported, present, and still has what the cell wrote on it. */
  #isInOrder(uid: string): boolean {
    const { pods, view } = this.#parts;
    const { held } = pods.get(uid) ?? {};
    const pod = view.podByUid(uid);
    return held?.told?.length === 0 && !held.isEnding && pod !== undefined && !pod.deleting && !isBare(pod);
  }

  /** Containments in force according to notes sealed by the cell, with their problems; `of` limits the pods. */
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

  /** Call this once incidents can be asked. */
  ask(releaseSaid: (incident: string, step: string) => Promise<ReleaseSaid>): void {
    this.#resources.ask(releaseSaid);
  }

  /** Wraps the cell's activities so that what they release is not contained again. */
  givingBack(activities: CellActivities): CellActivities {
    return this.#givingBack.around(activities, {
      given: (incident, reason) => this.#given(incident, reason),
      over: (incident) => {
        for (const key of this.#parts.objects.of(incident)) this.#resources.judgeSoon(key);
      },
    });
  }

  #given(incident: string, reason: UndoReason): void {
    const { pods, view } = this.#parts;
    const votes = !('proof' in reason) ? [] : (reason.proof?.votes ?? []).map(({ vote }) => vote);
    const by = [...new Set(votes.map(({ person }) => person))];
    // People had not seen what arrived after their answer.
    const observed = 'proof' in reason && reason.proof !== undefined && plansApproved(reason.proof).some(isObservedRelease);
    const given = by.length === 0 ? {} : { by, askedUntil: Math.min(...votes.map(({ at }) => Date.parse(at))), observed };
    for (const uid of pods.held()) {
      const { held, incident: of } = pods.get(uid) ?? {};
      if (of !== incident) continue;
      const [pod, state] = [view.podByUid(uid), held && this.#provenBy(uid, held.note)?.state];
      if (pod && state && isBare(pod) && this.#givenBackBy(pod, state) === 'cell') this.#keep(uid, pods.letGo(uid, given));
    }
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
      // An older note that somebody kept and put back must not replace a newer one.
      const since = Math.max(known?.held?.takenAt ?? 0, known?.releasedAt ?? 0);
      if (state && heldSince(state) >= since)
        this.#keep(
          uid,
          pods.hold(uid, state.incident, {
            note: text,
            takenAt: heldSince(state),
            pod: `${pod.namespace}/${pod.name}`,
            ...containersNow(pod),
          }),
        );
    }
    if (pods.get(uid)?.held) this.#lookSoon(uid);
    if (mayBeRunByHand(pod)) for (const key of objects.in(pod.namespace, suspendCronJob.name)) this.#resources.judgeSoon(key);
  }

  #lookSoon(uid: string): void {
    this.#waiting.add(uid);
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const one of waiting) void this.#inTurn(one);
    }, this.#parts.togetherMs ?? usualTogetherMs).unref();
  }

  async #inTurn(uid: string): Promise<void> {
    if (this.#stopped) return;
    // What arrives meanwhile is checked at the next look.
    if (this.#underway.has(uid)) return this.#rounds.again(uid);
    this.#underway.add(uid);
    try {
      await this.#look(uid);
    } catch (error) {
      this.#rounds.again(uid);
      this.#parts.log.error({ pod: uid, reason: reasonOf(error) }, 'cannot check a quarantined pod');
    } finally {
      this.#underway.delete(uid);
    }
  }

  async #look(uid: string): Promise<void> {
    const { pods, view } = this.#parts;
    const known = pods.get(uid);
    if (!known?.held) return;
    if (!view.ready() || this.#givingBack.isUnderway(known.incident)) return this.#rounds.again(uid);
    const pod = view.podByUid(uid);
    const proven = this.#provenBy(uid, known.held.note);
    if (!proven) {
      this.#forget(uid);
      return;
    }
    const { state, marks } = proven;
    if (!pod || pod.deleting)
      await this.#containers.ending({ uid, name: known.held.pod, incident: state.incident, ends: pod?.endsAt });
    if (!pod) {
      this.#forget(uid);
      return;
    }
    await this.#containers.look(pod, state.incident);
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
        await this.#tell(toTell(pod, state.incident), {
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

  /** A controller that removes it again identifies itself by its field manager. */
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

  /** Reports what is not in order, once. */
  async #judged(pod: PodRecord, state: BeforeState, wrong: readonly string[]): Promise<void> {
    const { pods } = this.#parts;
    const { told } = pods.get(pod.uid)?.held ?? {};
    if (told !== undefined && told.join('\n') === wrong.join('\n')) return;
    const about = `pod/${pod.namespace}/${pod.name}`;
    const marksWrong = wrong.some((one) => !isPolicyText(one));
    // Problems that existed at quarantine are in the step's own check.
    const isNews = told !== undefined || marksWrong;
    const line = isNews ? this.#fights.line(pod.uid, { isWrong: wrong.length > 0 }) : undefined;
    // What cannot be reported now is reported as soon as possible: until then the last report counts.
    if (isNews && !line) return this.#rounds.again(pod.uid);
    this.#keep(pod.uid, pods.nowSays(pod.uid, { told: wrong }));
    if (!line) return;
    await this.#tell(
      toTell(pod, state.incident),
      wrong.length === 0
        ? { kind: 'containment.whole', text: `the quarantine of ${about} is fully in force again` }
        : {
            kind: 'containment.changed',
            text: `the quarantine of ${about} is no longer fully in force: ${wrong.join('; ')}`,
          },
      line,
    );
  }

  /** No mark of ours is left on the pod: it was released, here, by another replica or by hand, or somebody removed all marks at once. */
  async #mustBeTakenAgain(pod: PodRecord, state: BeforeState): Promise<boolean> {
    const { pods } = this.#parts;
    const { uid, namespace, name } = pod;
    const by = this.#givenBackBy(pod, state);
    if (by === undefined && this.#seen.has(uid)) return true;
    const people = observedFor(pod, state, this.#parts.cellKey);
    this.#keep(uid, pods.letGo(uid, people ? { by: people, observed: true } : {}));
    if (by === 'cell') return false;
    // Released by the documented manual procedure. That stands, and is no secret.
    const how = by === 'hand' ? 'with the cell’s key' : 'while the cell was stopped';
    await this.#tell(toTell(pod, state.incident), {
      kind: 'containment.changed',
      text: `the quarantine of pod/${namespace}/${name} was removed by hand ${how} and is not restored: somebody must decide`,
    });
    return false;
  }

  #givenBackBy(pod: PodRecord, state: BeforeState): GivenBackBy | undefined {
    const { landed, cellKey } = this.#parts;
    const { uid, namespace, name } = pod;
    if (landed.wasReleased({ object: `pod/${namespace}/${name}`, uid, step: state.step })) return 'cell';
    return givenBackBy(pod, state, cellKey);
  }

  /** Problems of the standing policy: without a higher tier, it alone denies traffic. */
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

  /** Returns why not; undefined if it is in force again. */
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
      log.warn(said, 'somebody changed a quarantine; it is restored');
      return undefined;
    } catch (error) {
      log.error({ ...said, reason: reasonOf(error) }, 'somebody changed a quarantine, and it could not be restored');
      return `it could not be restored: ${reasonOf(error)}`;
    }
  }

  async #tell(
    { uid, about, incident }: Changed,
    { kind, text }: Parameters<Tell>[1],
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
    kept.catch(() => this.#parts.log.error({ pod: uid }, 'cannot store the state of a contained pod'));
  }
}

/** Whether the pod has no trace of a quarantine. */
function isBare({ labels, annotations }: PodRecord): boolean {
  const marks = [names.beforeAnnotation, names.incidentAnnotation, names.stepAnnotation];
  return labels[names.quarantineLabel] === undefined && marks.every((name) => annotations[name] === undefined);
}

/** Which of the two actions that quarantine pods took it: step keys name their action. */
function actionOf(step: string): string {
  return step.split('/').includes(quarantineWorkload.name) ? quarantineWorkload.name : quarantinePod.name;
}

function isPolicyText(text: string): boolean {
  return /^[a-z-]*networkpolicy\//.test(text);
}
