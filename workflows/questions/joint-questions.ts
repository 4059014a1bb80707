import type { QuestionState } from '../../core/incident/incident-state.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import type { IncidentModel } from '../incident/model.ts';
import { nowMs } from '../world.ts';
import { type AskedQuestion, openQuestion } from './asked-question.ts';
import { jointKeyOf, jointOf, jointTimes, longestJointText } from './joint-question.ts';

interface Joint {
  /** See `jointKeyOf`. Absent: nothing joins it. */
  readonly key: string | undefined;
  readonly findings: readonly AskedQuestion[];
  /** Bodies that no longer wait for the answer: their pod was contained meanwhile. */
  readonly left: readonly AskedQuestion[];
}

/** Open questions with what each is about: what several bodies would ask about one pod is one question, with a finding of each. */
export class JointQuestions {
  readonly #model: IncidentModel;
  readonly #open = new Map<string, Joint>();

  constructor(model: IncidentModel) {
    this.#model = model;
  }

  begin(id: string, asked: AskedQuestion): void {
    for (const known of this.#open.keys()) if (!this.#isOpen(known)) this.#open.delete(known);
    this.#open.set(id, { key: jointKeyOf(asked), findings: [asked], left: [] });
  }

  /** What the question asks now. */
  of(id: string): AskedQuestion | undefined {
    const [first, ...others] = this.#open.get(id)?.findings ?? [];
    return first && jointOf(first, others);
  }

  /** Adds a finding to the open question that it fits; undefined if there is none. */
  join(asked: AskedQuestion): string | undefined {
    const key = jointKeyOf(asked);
    if (key === undefined) return undefined;
    for (const [id, joint] of this.#open) {
      const [first, ...others] = [...joint.findings, asked];
      if (joint.key !== key || !first || !this.#isOpen(id) || jointOf(first, others).text.length > longestJointText) continue;
      this.#open.set(id, { ...joint, findings: [first, ...others] });
      this.#noteBodies(id);
      return id;
    }
    return undefined;
  }

  /** A body does not wait for the answer any more. Returns whether nobody does. */
  leave(id: string, asked: AskedQuestion): boolean {
    const joint = this.#open.get(id);
    if (!joint) return true;
    const left = [...joint.left, asked];
    this.#open.set(id, { ...joint, left });
    return joint.findings.every((one) => left.includes(one));
  }

  /**
   * The question as it is asked once this finding has joined, without the answers so far; undefined if people see no difference. Who is asked by now, and
   * until when, stays; but nothing is passed on later than it would be alone.
   */
  askedAnew(before: QuestionState, joining: AskedQuestion): QuestionState | undefined {
    const { question, level, askedAt, answerers } = before;
    const joint = this.of(question.id);
    if (!joint) return undefined;
    const levelUntil = Date.parse(before.levelUntil);
    const { levels, ...times } = jointTimes({ levels: question.levels, level, levelUntil }, joining.levels, nowMs());
    const progress = { ...times, at: Date.parse(askedAt), level };
    const after = openQuestion(this.#model, question.id, { ...joint, levels }, progress);
    const shown = ({ question: { text, choices, levels: asked } }: QuestionState) =>
      canonicalJson({ text, labels: choices.map(({ label }) => label), pages: asked.map(({ page = false }) => page) });
    return shown(before) === shown(after) ? undefined : { ...after, ...(answerers && { answerers }) };
  }

  /** The engine asks for whichever body: then each runs its own step. */
  #noteBodies(id: string): void {
    const { findings = [] } = this.#open.get(id) ?? {};
    if (findings.some(({ requester }) => requester === 'engine')) return;
    this.#model.answeredTogether.set(
      id,
      findings.flatMap(({ caller }) => caller ?? []),
    );
  }

  #isOpen(id: string): boolean {
    return this.#model.questions.get(id)?.status.state === 'open';
  }
}
