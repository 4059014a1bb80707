import { type EvidenceSubject, evidenceSubject, isEvidenceOf, waiverOf } from '../../core/action/waiver.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { ApprovalProof } from '../../core/decide/approval.ts';
import { digestOf } from '../../core/text/digest.ts';
import { lastPart } from '../../core/text/object-name.ts';
import type { IncidentModel } from '../incident/model.ts';
import type { Questions } from '../questions/questions.ts';
import { condition, nowMs } from '../world.ts';

/** Most evidence arrives within moments: people are only asked if it does not. */
const askAfterMs = 60_000;
/** The question outlives the wait, which ends it: with two timers for one moment, it would be chance whether the question expired. */
const outlivesMs = 60_000;

/** The properties of a step that determine whose evidence it waits for. */
interface WaitingStep {
  readonly action: string;
  readonly input: unknown;
  readonly approval?: ApprovalProof;
}

/** Evidence before eradication: a destructive step waits until something is kept, people waive that, or the deadline has passed. */
export class EvidenceWait {
  readonly #model: IncidentModel;
  readonly #questions: Questions;
  readonly #waivers = new Map<string, ApprovalProof>();
  readonly #asked = new Set<string>();

  constructor(parts: { readonly model: IncidentModel; readonly questions: Questions }) {
    this.#model = parts.model;
    this.#questions = parts.questions;
  }

  get deadline(): number {
    return Date.parse(this.#model.openedAt) + this.#model.settings.evidenceDeadlineMs;
  }

  /** The waiver that people gave for the evidence of what this approved step destroys. */
  waiverFor(step: WaitingStep): ApprovalProof | undefined {
    const subject = subjectOf(step);
    return subject && this.#waivers.get(keyOf(subject));
  }

  /** @param alert of the body whose step waits: its card shows it. */
  async until(step: WaitingStep & { readonly alert: Alert | undefined }): Promise<void> {
    const subject = subjectOf(step);
    if (!subject || this.#left <= 0) return;
    const key = keyOf(subject);
    const settled = () => this.#waivers.has(key) || this.#model.evidence.some((ref) => isEvidenceOf(ref, subject));
    if (settled() || (await condition(settled, Math.min(askAfterMs, this.#left)))) return;
    if (this.#left > 0) {
      const { alert } = step;
      if (alert && !this.#asked.has(key)) void this.#model.during(this.#ask({ subject, key, alert, settled }));
      if (await condition(settled, this.#left)) return;
    }
    this.#model.record('evidence.deadline', 'engine', 'the deadline for evidence has passed: the step no longer waits', {
      target: subject,
    });
  }

  get #left(): number {
    return this.deadline - nowMs();
  }

  /** One question for all steps that wait for the same evidence. It ends when there is nothing left to wait for. */
  async #ask(about: {
    readonly subject: EvidenceSubject;
    readonly key: string;
    readonly alert: Alert;
    readonly settled: () => boolean;
  }): Promise<void> {
    const { subject, key, alert, settled } = about;
    const { levels } = this.#model.settings;
    const last = levels.at(-1);
    if (!last) return;
    this.#asked.add(key);
    const until = new Date(this.deadline).toISOString().slice(0, 16).replace('T', ' ');
    const decision = await this.#questions.ask({
      text: `No evidence of ${lastPart(subject.name)} is kept yet. What you approved waits for it until ${until} UTC. Go on without it?`,
      choices: [
        { id: 'waive', label: 'Yes', plans: [waiverOf(subject)] },
        { id: 'wait', label: 'No, wait for it', plans: [] },
      ],
      // People who come late can still answer.
      levels: [...levels.slice(0, -1), { ...last, withinMs: Math.max(last.withinMs, this.#left + outlivesMs) }],
      requester: 'engine',
      onSilence: 'It waits for the evidence, until the deadline.',
      alert,
      until: () => (settled() || this.#left <= 0 ? 'what it was about has resolved itself' : undefined),
    });
    if (decision?.choice !== 'waive') return;
    this.#waivers.set(key, decision.proof);
    this.#model.record(
      'evidence.waived',
      decision.by.map((person) => `person/${person}`).join(','),
      `evidence of ${subject.name} is no longer waited for`,
      { question: decision.question, target: subject },
    );
  }
}

/** Whose evidence the approved plan asks for. Without an approval nothing destructive is done, and nothing waits. */
function subjectOf(step: WaitingStep): EvidenceSubject | undefined {
  const { question, choice } = step.approval ?? {};
  const plans = question?.choices.find(({ id }) => id === choice)?.plans ?? [];
  const plan = plans.find(({ action, inputDigest }) => action === step.action && inputDigest === digestOf(step.input));
  return plan && evidenceSubject(plan);
}

function keyOf({ name, uid }: EvidenceSubject): string {
  return uid ?? name;
}
