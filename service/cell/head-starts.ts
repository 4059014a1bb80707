import { setTimeout as sleep } from 'node:timers/promises';
import type { Chokepoint } from '../../activities/chokepoint/chokepoint.ts';
import type { ContainmentFirst } from '../../activities/chokepoint/containment-first.ts';
import { type AppliedStep, type CellActivities, podUidOf, type StepCall } from '../../core/action/step.ts';
import { actions } from '../../core/actions/index.ts';
import { authenticState, type CellKey, isHeldByCell } from '../../core/cluster/before-state.ts';
import { names } from '../../core/cluster/labels.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type HeadStartRequest, headStartOf } from '../../core/incident/head-start.ts';
import { incidentIdOf } from '../../core/incident/incident.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import type { ClusterView } from '../../integrations/kubernetes/watch/cluster-view.ts';
import type { HeadStart, HeadStartResult } from '../intake/send/head-start.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import type { ContainedPods } from './contained-pods.ts';

interface HeadStartParts {
  readonly chokepoint: Pick<Chokepoint, 'apply'>;
  /** Playbooks that an incident runs: not all began with the same versions. */
  readonly playbooksOf: (incident: string) => readonly AnyPlaybook[];
  readonly view: ClusterView;
  readonly cellKey: CellKey;
  readonly pods: ContainedPods;
  readonly first: ContainmentFirst;
  readonly log: Logger;
}

/**
 * As long as any API server call, and longer than an incident's fast path: on a busy machine an attempt abandoned midway costs as much as a completed one, and
 * its pod stays open until the next try, which competes with the starts of all incidents.
 */
const applyWithinMs = 5_000;
/** Pauses before each retry after a failure. */
const pausesMs = [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000];
const lookEveryMs = 60_000;
/** Temporal unreachable, a full worker, a restart: until then an incident may still adopt what was begun for it. */
const adoptedWithinMs = 10 * 60_000;
const containing: ReadonlySet<string> = new Set(actions.filter(({ contains }) => contains).map(({ name }) => name));

/**
 * Begins containment in parallel with the start of its incident, through the same chokepoint. By then the alert is durable, and the before-state goes onto the
 * pod in the same patch, so the incident finds the step done and adopts it, even after a crash in between.
 */
export class HeadStarts implements HeadStart {
  readonly #parts: HeadStartParts;
  readonly #underway = new Map<string, Promise<HeadStartResult>>();
  #looking: NodeJS.Timeout | undefined;
  #orphans = 0;
  #stopped = false;

  constructor(parts: HeadStartParts) {
    this.#parts = parts;
  }

  wants(request: HeadStartRequest): boolean {
    const uid = request.alert.pod?.uid;
    return uid !== undefined && !this.#isKnown(uid, request) && this.#stepFor(request) !== undefined;
  }

  async begin(request: HeadStartRequest, durable: Promise<unknown>): Promise<HeadStartResult> {
    const uid = request.alert.pod?.uid;
    const call = this.#stepFor(request);
    if (uid === undefined || call === undefined) return 'refused';
    const same = this.#underway.get(uid);
    if (same) return same;
    if (this.#isKnown(uid, request)) return 'known';
    const result = await this.#try(uid, call, durable);
    if (result === 'failed') void this.#tryAgain(uid, call, { request, durable });
    return result;
  }

  /** Wraps the cell's activities: a step on a pod waits for a head start on it, and adopts its result. */
  adopting(activities: CellActivities): CellActivities {
    const adopt = async (call: StepCall, apply: () => Promise<AppliedStep>): Promise<AppliedStep> => {
      const uid = containing.has(call.action) ? podUidOf(call.input) : undefined;
      if (uid === undefined) return apply();
      await this.#underway.get(uid);
      const applied = await apply();
      void this.#note(uid, call.incident.id, true);
      return applied;
    };
    return {
      ...activities,
      applyStep: (call) => adopt(call, () => activities.applyStep(call)),
      applyStepNow: (call) => adopt(call, () => activities.applyStepNow(call)),
    };
  }

  /**
   * Checks from time to time for containments that no incident adopted, and for those made by another replica of this cell.
   *
   * @param holds whether an incident has a lease on a pod, according to Temporal
   */
  watch(holds: (incident: string, uid: string) => Promise<boolean>): void {
    this.#looking = setInterval(() => {
      this.#learn();
      this.#lookForOrphans(holds).catch((error: unknown) =>
        this.#parts.log.warn({ reason: reasonOf(error) }, 'cannot tell whether each contained pod has an incident'),
      );
    }, lookEveryMs).unref();
  }

  /** Number of contained pods that no incident holds. */
  orphans(): number {
    return this.#orphans;
  }

  /** Call this when no activity runs any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#looking);
    await Promise.allSettled([...this.#underway.values()]);
    await this.#parts.pods.close();
  }

  #try(uid: string, call: StepCall, durable: Promise<unknown>): Promise<HeadStartResult> {
    const work = this.#parts.first.contain(call.incident.id, () => this.#contain(uid, call, durable));
    this.#underway.set(uid, work);
    return work.finally(() => this.#underway.delete(uid));
  }

  /** The incident tries too, but if everything is slow it may take long until its turn. */
  async #tryAgain(
    uid: string,
    call: StepCall,
    { request, durable }: { readonly request: HeadStartRequest; readonly durable: Promise<unknown> },
  ): Promise<void> {
    for (const pause of pausesMs) {
      await sleep(pause, undefined, { ref: false });
      if (this.#stopped || this.#underway.has(uid) || this.#isKnown(uid, request)) return;
      if ((await this.#try(uid, call, durable)) !== 'failed') return;
    }
  }

  #stepFor(request: HeadStartRequest): StepCall | undefined {
    const playbooks = this.#parts.playbooksOf(incidentIdOf(request.subject));
    return headStartOf(request, { playbooks, now: Date.now() });
  }

  #isKnown(uid: string, { alert }: HeadStartRequest): boolean {
    if (this.#parts.pods.has(uid)) return true;
    const pod = alert.pod && this.#parts.view.pod(alert.pod.namespace, alert.pod.name);
    return pod?.uid !== uid || isHeldByCell(pod, this.#parts.cellKey);
  }

  async #contain(uid: string, call: StepCall, durable: Promise<unknown>): Promise<HeadStartResult> {
    const { chokepoint, log } = this.#parts;
    const { key, incident, action } = call;
    const began = performance.now();
    const said = { incident: incident.id, step: key };
    try {
      const signal = AbortSignal.timeout(applyWithinMs);
      await chokepoint.apply(call, { key, incident: incident.id, run: incident.run, fast: true, signal, durable });
      void this.#note(uid, incident.id, false);
      log.info({ ...said, ms: Math.round(performance.now() - began) }, `head start: ${action}`);
      return 'contained';
    } catch (error) {
      log.warn({ ...said, reason: reasonOf(error) }, `head start: ${action} is left to the incident`);
      return error instanceof FirebreakError && !error.retryable ? 'refused' : 'failed';
    }
  }

  async #note(uid: string, incident: string, adopted: boolean): Promise<void> {
    try {
      await this.#parts.pods.note(uid, { incident, at: Date.now(), adopted });
    } catch {
      this.#parts.log.error({ incident }, 'cannot record that a pod is contained');
    }
  }

  /** Pods contained by another replica are recorded here too: after a release they must not be contained again. */
  #learn(): void {
    const { view, cellKey, pods } = this.#parts;
    for (const pod of view.pods()) {
      if (pod.labels[names.quarantineLabel] === undefined || pods.has(pod.uid)) continue;
      const state = authenticState({ text: pod.annotations[names.beforeAnnotation], podUid: pod.uid, key: cellKey });
      if (state) void this.#note(pod.uid, state.incident, true);
    }
  }

  async #lookForOrphans(holds: (incident: string, uid: string) => Promise<boolean>): Promise<void> {
    const { pods, view, log } = this.#parts;
    await pods.forget();
    const contained = new Set<string>();
    for (const { uid, labels } of view.pods()) if (labels[names.quarantineLabel] !== undefined) contained.add(uid);
    let orphans = 0;
    for (const { uid, incident } of [...pods.orphans(adoptedWithinMs)]) {
      if (!contained.has(uid)) continue;
      if (await holds(incident, uid)) {
        await this.#note(uid, incident, true);
        continue;
      }
      orphans += 1;
      log.error({ incident, pod: uid }, 'a pod is contained but no incident holds it: see `firebreak release --offline`');
    }
    this.#orphans = orphans;
  }
}
