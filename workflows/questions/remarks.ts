import type { DeskActivities } from '../../core/action/step.ts';
import { claimedBy } from '../../core/audit/audit.ts';
import { silenceAt } from '../../core/decide/question.ts';
import type { VoteCheck } from '../../core/decide/vote-check.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { isRemarkShaped, type SignedRemark } from '../../core/incident/remark.ts';
import { remarkActivities } from '../calls.ts';
import type { IncidentModel } from '../incident/model.ts';
import { condition, nowMs } from '../world.ts';
import type { Questions } from './questions.ts';

const askedAgainAfterMs = 15 * 60_000;
/** A person who is reminded needs this long before the question ends. */
const beforeDeadlineMs = 60_000;
const mostRemarks = 200;

/** What people say on open questions without deciding them. Nothing here ends a question or moves its deadline. */
export class Remarks {
  readonly #model: IncidentModel;
  readonly #desk: DeskActivities;
  readonly #questions: Questions;
  #taken = 0;

  constructor(options: { readonly model: IncidentModel; readonly desk: DeskActivities; readonly questions: Questions }) {
    this.#model = options.model;
    this.#desk = options.desk;
    this.#questions = options.questions;
  }

  /** Anyone who can reach Temporal can send one: malformed or repeated remarks are ignored. */
  receive(value: unknown): void {
    if (!isRemarkShaped(value) || this.#taken >= mostRemarks) return;
    if (!this.#model.firstSight(`remark:${value.remark.id}`)) return;
    this.#taken += 1;
    void this.#model.during(this.#take(value));
  }

  async #take(signed: SignedRemark): Promise<void> {
    const { remark } = signed;
    const state = this.#model.questions.get(remark.question);
    if (!state) return;
    const check = await remarkActivities(this.#model.settings)
      .verifyRemark({ remark: signed, question: state.question, level: state.level })
      .catch((): VoteCheck => ({ ok: false, reason: 'It could not be checked. Send it again.' }));
    if (!check.ok) {
      this.#model.record('remark.refused', check.signed ? `person/${remark.person}` : claimedBy(remark.person), check.reason, {
        question: remark.question,
        kind: remark.kind,
      });
      this.#tell(signed, check.reason);
      return;
    }
    if (remark.kind === 'comment') this.#comment(signed, check.name);
    else if (remark.kind === 'next') this.#next(signed, check.name);
    else await this.#remindLater(signed, check.name);
  }

  #comment(signed: SignedRemark, name: string): void {
    const { question, person, text = '' } = signed.remark;
    const line = `${name}${this.#model.actors.has(person) ? ', whom an alert names' : ''}: ${text}`;
    this.#model.record('question.comment', `person/${person}`, line, { question, remark: signed });
    this.#questions.page(line);
    this.#tell(signed, 'Your comment is in the thread and on the record.');
  }

  #next(signed: SignedRemark, name: string): void {
    const group = this.#questions.askNext(signed.remark.question, `person/${signed.remark.person}`, name);
    this.#tell(signed, group === undefined ? 'There is nobody left to ask.' : `You called in ${group}.`);
  }

  /** In 15 minutes; earlier only if the question ends before, and then the person is told why. Texts contain ISO 8601 times: the desk shows them in local time. */
  async #remindLater(signed: SignedRemark, name: string): Promise<void> {
    const { question: id, person } = signed.remark;
    const state = this.#model.questions.get(id);
    const isOpen = (): boolean => this.#model.questions.get(id)?.status.state === 'open';
    const end = state && (silenceAt(state) ?? state.levelUntil);
    const left = Date.parse(end ?? '') - nowMs() - beforeDeadlineMs;
    if (!state || !isOpen() || !(left > 0))
      return this.#tell(signed, 'The question ends too soon for a reminder. Answer it now.');
    const wait = Math.min(askedAgainAfterMs, left);
    const at = new Date(nowMs() + wait).toISOString();
    this.#model.record('question.snoozed', `person/${person}`, `${name} asked to be reminded at ${at}`, { question: id });
    this.#tell(signed, `You will be reminded at ${at}. ${until(state, at, wait < askedAgainAfterMs)}`);
    if (await condition(() => !isOpen(), wait)) return;
    this.#tell(signed, `You asked for this reminder: ${this.#model.questions.get(id)?.question.text ?? ''}`);
  }

  #tell({ remark, signature }: SignedRemark, text: string): void {
    void this.#model
      .during(this.#desk.answerClick({ incident: this.#model.ref, click: remark.id, signature, text }))
      .catch(() => this.#model.note('card.failed', 'engine', 'an answer did not reach the person who asked'));
  }
}

/** What happens to the question until the reminder: it does not wait for the person. */
function until({ question, level, levelUntil }: QuestionState, at: string, isEarly: boolean): string {
  const next = question.levels[level + 1]?.group;
  if (next !== undefined && levelUntil < at) return `The question does not wait: ${next} is asked at ${levelUntil}.`;
  return isEarly ? 'The question ends a minute later, so 15 minutes are too long.' : 'The question does not wait.';
}
