import { condition } from '@temporalio/workflow';
import type { DeskActivities } from '../../core/action/step.ts';
import { claimedBy } from '../../core/audit/audit.ts';
import type { SignedVote } from '../../core/decide/approval.ts';
import { countVote, saidBy } from '../../core/decide/question.ts';
import { isVoteShaped } from '../../core/decide/vote-shape.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { stepFailure, voteActivities } from '../calls.ts';
import type { IncidentModel } from '../incident/model.ts';
import type { Questions } from './questions.ts';

/** Votes are signals: verified one by one, in their order, counted by one reducer. */
export class Votes {
  readonly #model: IncidentModel;
  readonly #desk: DeskActivities;
  readonly #questions: Questions;
  readonly #incoming: SignedVote[] = [];

  constructor(parts: { readonly model: IncidentModel; readonly desk: DeskActivities; readonly questions: Questions }) {
    this.#model = parts.model;
    this.#desk = parts.desk;
    this.#questions = parts.questions;
  }

  /** Whoever can reach Temporal can send a signal: what has not even the shape of a vote is put on the record, and nothing else. */
  receive(vote: unknown): void {
    if (isVoteShaped(vote)) {
      this.#incoming.push(vote);
      return;
    }
    this.#model.record('vote.refused', claimedBy('unknown'), 'a signal that is no vote');
  }

  get unread(): boolean {
    return this.#incoming.length > 0;
  }

  /** Takes votes one after another, for as long as the incident lives: opposite clicks have exactly one outcome. */
  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#incoming.length > 0);
      const vote = this.#incoming[0];
      if (vote) await this.#model.during(this.#take(vote));
      this.#incoming.shift();
    }
  }

  async #take(signed: SignedVote): Promise<void> {
    const { vote } = signed;
    const state = this.#model.questions.get(vote.question);
    if (!state) return this.#refuse(signed, 'There is no such question in this incident.');
    // A raw signal of somebody with access to Temporal ends here: no signature, no vote.
    const check = await voteActivities(this.#model.settings)
      .verifyVote({ vote: signed, question: state.question, level: state.level, ...this.#model.namedActors })
      .catch(() => undefined);
    if (!check) return this.#refuse(signed, 'The vote could not be checked; please answer again.');
    if (!check.ok) return this.#refuse(signed, check.reason, check.signed);
    const { severity, namedActors } = this.#model;
    const before = this.#model.questions.get(vote.question) ?? state;
    const now = new Date().toISOString();
    const result = countVote(before, signed, { now, severity, level: check.level, ...namedActors });
    if (result.outcome === 'refused') return this.#refuse(signed, result.reply, true);
    if (result.outcome === 'repeated') return this.#answer(signed, result.reply);
    this.#model.questions.set(vote.question, result.state);
    this.#model.record('vote.accepted', `person/${vote.person}`, saidBy(check.name, vote), {
      vote: signed.vote,
      keyId: signed.keyId,
      signature: signed.signature,
      ...(check.signIn ? { signIn: check.signIn } : {}),
    });
    this.#answer(signed, result.reply);
    if (check.alone) this.#tellAlone(before, check.name);
    this.#questions.counted({ before, after: result.state, name: check.name });
  }

  /** Whoever answers what they have set off themselves does it before everybody's eyes. */
  #tellAlone({ question }: QuestionState, name: string): void {
    const groups = [...new Set(question.levels.map(({ group }) => group))].join(' or ');
    const text = `${name} has ordered this, and answers alone: nobody else of ${groups} can be asked now`;
    this.#model.record('vote.alone', 'engine', text, { question: question.id });
    this.#questions.page(`${text}. ${question.text}`);
  }

  #refuse(signed: SignedVote, reason: string, isTheirs = false): void {
    const { vote } = signed;
    this.#model.record('vote.refused', isTheirs ? `person/${vote.person}` : claimedBy(vote.person), reason, {
      question: vote.question,
      choice: vote.choice,
      via: vote.via,
      vote: vote.id,
      signature: signed.signature,
    });
    this.#answer(signed, reason);
  }

  /** The desk that took the click knows where its answer goes; nobody waits for one elsewhere. */
  #answer({ vote, signature }: SignedVote, text: string): void {
    if (vote.via !== 'slack') return;
    void this.#model
      .during(this.#desk.answerClick({ incident: this.#model.ref, click: vote.id, signature, text }))
      .catch((error) => this.#model.note('card.failed', 'engine', stepFailure(error).message));
  }
}
