import type { Alert } from '../alert/alert.ts';
import type { CellKey } from '../messages/sealed.ts';
import { assess, type ResponsePolicy } from './assessment.ts';
import { sealContainment } from './containment-seal.ts';
import { Execs } from './execs.ts';
import type { PodFacts, PodStories } from './stories.ts';

/** Assesses each alert in the order of arrival and writes the result onto it. The same in a cell and in the test kit. */
export class Assessor {
  readonly #stories: PodStories;
  readonly #policyOf: (alert: Alert) => ResponsePolicy;
  readonly #key: CellKey;
  readonly #execs: Execs;

  constructor(parts: {
    readonly stories: PodStories;
    readonly policyOf: (alert: Alert) => ResponsePolicy;
    /** The cell's key: what it assesses as to be cut off is sealed with it. */
    readonly key: CellKey;
    /** See `Execs`. */
    readonly personOf?: (alert: Alert) => string | undefined;
  }) {
    this.#stories = parts.stories;
    this.#policyOf = parts.policyOf;
    this.#key = parts.key;
    this.#execs = new Execs(parts.personOf);
  }

  /** @param of.nowMs when it arrived, milliseconds since 1970: the sensor's own time is a claim */
  assessed(alert: Alert, { nowMs, facts }: { readonly nowMs: number; readonly facts?: PodFacts }): Alert {
    this.#execs.note(alert);
    const execBy = this.#execs.in(alert.pod);
    const story = this.#stories.hear(alert, { nowMs, facts: { ...(execBy && { execBy }), ...facts } });
    const assessment = assess(story, this.#policyOf(alert));
    const podUid = alert.pod?.uid;
    if (assessment.response !== 'contain' || podUid === undefined) return { ...alert, assessment };
    const seal = sealContainment({ podUid, alert: alert.id, at: new Date(nowMs).toISOString() }, this.#key);
    return { ...alert, assessment: { ...assessment, seal } };
  }
}
