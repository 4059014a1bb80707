import type { Alert } from '../alert/alert.ts';
import type { CellKey } from '../messages/sealed.ts';
import { assess, type ResponsePolicy } from './assessment.ts';
import { sealContainment } from './containment-seal.ts';
import { Execs } from './execs.ts';
import type { HeldBack } from './held-back.ts';
import type { Assessment } from './response.ts';
import { sealSilence } from './silence-seal.ts';
import type { PodFacts, PodStories } from './stories.ts';

/** Assesses each alert in the order of arrival and writes the result onto it. The same in a cell and in the test kit. */
export class Assessor {
  readonly #stories: PodStories;
  readonly #policyOf: (alert: Alert) => ResponsePolicy;
  readonly #key: CellKey;
  readonly #heldBack: Pick<HeldBack, 'why' | 'refusal' | 'waitMs'> | undefined;
  readonly #execs: Execs;

  constructor(parts: {
    readonly stories: PodStories;
    readonly policyOf: (alert: Alert) => ResponsePolicy;
    /** The cell's key: what it assesses as to be cut off, at once or on silence, is sealed with it. */
    readonly key: CellKey;
    /** Absent: what a playbook may do, and what the guardrails refuse, is not looked at. */
    readonly heldBack?: Pick<HeldBack, 'why' | 'refusal' | 'waitMs'>;
    /** See `Execs`. */
    readonly personOf?: (alert: Alert) => string | undefined;
  }) {
    this.#stories = parts.stories;
    this.#policyOf = parts.policyOf;
    this.#key = parts.key;
    this.#heldBack = parts.heldBack;
    this.#execs = new Execs(parts.personOf);
  }

  /** @param of.nowMs when it arrived, milliseconds since 1970: the sensor's own time is a claim */
  assessed(alert: Alert, { nowMs, facts }: { readonly nowMs: number; readonly facts?: PodFacts }): Alert {
    this.#execs.note(alert);
    const execBy = this.#execs.in(alert.pod);
    const story = this.#stories.hear(alert, { nowMs, facts: { ...(execBy && { execBy }), ...facts } });
    const assessed = assess(story, this.#policyOf(alert));
    const heldBack = assessed.would === 'contain' ? this.#heldBack?.why({ ...alert, assessment: assessed }, nowMs) : undefined;
    const assessment: Assessment = { ...assessed, ...(heldBack !== undefined && { heldBack }) };
    const onSilence = assessment.onSilence === 'contain' && this.#isRefused(alert, nowMs) ? 'nothing' : assessment.onSilence;
    return { ...alert, assessment: this.sealed(alert, { ...assessment, onSilence }, nowMs) };
  }

  /** The assessment with this cell's confirmation of what is done to the pod without people. */
  sealed(alert: Alert, assessment: Assessment, nowMs: number): Assessment {
    const podUid = alert.pod?.uid;
    if (podUid === undefined) return assessment;
    const pod = { podUid, alert: alert.id, at: new Date(nowMs).toISOString() };
    if (assessment.response === 'contain') return { ...assessment, seal: sealContainment(pod, this.#key) };
    const waitMs = assessment.onSilence === 'contain' ? this.#heldBack?.waitMs(alert) : undefined;
    return waitMs === undefined ? assessment : { ...assessment, seal: sealSilence({ ...pod, waitMs }, this.#key) };
  }

  /** Whether no playbook may contain the pod, or a guardrail refuses it now: then people are not told that silence contains it. */
  #isRefused(alert: Alert, nowMs: number): boolean {
    return this.#heldBack?.refusal(alert, nowMs) !== undefined;
  }
}
