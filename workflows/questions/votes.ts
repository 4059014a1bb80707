import type { CellActivities, DeskActivities } from '../../core/action/step.ts';
import type { Severity } from '../../core/alert/severity.ts';
import { claimedBy } from '../../core/audit/audit.ts';
import type { RecordKind } from '../../core/audit/record-kinds.ts';
import { labelIn } from '../../core/cards/choice-label.ts';
import type { SignedVote } from '../../core/decide/approval.ts';
import { countVote, saidBy } from '../../core/decide/question.ts';
import { askedElsewhere, elsewhereText, releaseChoice } from '../../core/decide/standing-question.ts';
import { isVoteShaped } from '../../core/decide/vote-shape.ts';
import type { IncidentRef } from '../../core/incident/incident.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { stepFailure } from '../calls.ts';
import { condition, timeNow } from '../world.ts';

/** Where the question is asked and recorded: an incident, or the control workflow above all incidents. */
interface VoteHome {
  readonly ref: IncidentRef;
  readonly questions: Map<string, QuestionState>;
  /** Ids of people whom the alerts name as the actor by now. */
  readonly namedActors: { readonly actors?: readonly string[] };
  record(kind: RecordKind, actor: string, text: string, body?: Readonly<Record<string, unknown>>): void;
  /** Adds to the timeline, but not to the record. */
  note(kind: string, actor: string, text: string): void;
  /** Current severity. */
  severityOf(state: QuestionState): Severity;
  /** Work that must finish before the history may be cut. */
  during<T>(work: Promise<T>): Promise<T>;
}

export interface CountedVote {
  readonly before: QuestionState;
  readonly after: QuestionState;
  /** The voter's id and name. */
  readonly by: string;
  readonly name: string;
  /** The voter has ordered this, and nobody else can be asked. */
  readonly alone: boolean;
}

interface VotesParts {
  readonly home: VoteHome;
  readonly desk: Pick<DeskActivities, 'answerClick'>;
  readonly cell: () => Pick<CellActivities, 'verifyVote'>;
  readonly counted: (vote: CountedVote) => void;
}

/** Votes are signals: verified one by one, in order, counted by one reducer. */
export class Votes {
  readonly #parts: VotesParts;
  readonly #incoming: SignedVote[] = [];

  constructor(parts: VotesParts) {
    this.#parts = parts;
  }

  /** Anyone who can reach Temporal can send a signal: if it is not even shaped like a vote, it is recorded and otherwise ignored. */
  receive(vote: unknown): void {
    if (isVoteShaped(vote)) {
      this.#incoming.push(vote);
      return;
    }
    this.#parts.home.record('vote.refused', claimedBy('unknown'), 'a signal that is not a vote');
  }

  get unread(): boolean {
    return this.#incoming.length > 0;
  }

  /** Processes votes one after another, for as long as the incident lives: opposite clicks have exactly one outcome. */
  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#incoming.length > 0);
      const vote = this.#incoming[0];
      if (vote) await this.#parts.home.during(this.#take(vote));
      this.#incoming.shift();
    }
  }

  async #take(signed: SignedVote): Promise<void> {
    const { vote } = signed;
    const { home, cell, counted } = this.#parts;
    const state = home.questions.get(vote.question);
    if (!state) return this.#refuse(signed, 'There is no such question.');
    // A raw signal from somebody with access to Temporal is rejected here: no signature, no vote.
    const check = await cell()
      .verifyVote({ vote: signed, question: state.question, level: state.level, ...home.namedActors })
      .catch(() => undefined);
    if (!check) return this.#refuse(signed, 'The vote could not be checked. Answer again.');
    if (!check.ok) return this.#refuse(signed, check.reason, check.signed);
    const before = home.questions.get(vote.question) ?? state;
    const elsewhere = vote.choice === releaseChoice ? askedElsewhere(before.question, home.questions.values()) : undefined;
    if (elsewhere) return this.#refuse(signed, elsewhereText(elsewhere), true);
    const { level, name, signIn, alone = false } = check;
    const now = timeNow();
    const result = countVote(before, signed, { now, severity: home.severityOf(before), level, ...home.namedActors });
    if (result.outcome === 'refused') return this.#refuse(signed, result.reply, true);
    if (result.outcome === 'repeated') return this.#answer(signed, result.reply);
    home.questions.set(vote.question, result.state);
    home.record('vote.accepted', `person/${vote.person}`, saidBy(name, labelIn(before.question, vote.choice), vote), {
      vote,
      keyId: signed.keyId,
      signature: signed.signature,
      ...(signIn ? { signIn } : {}),
    });
    this.#answer(signed, result.reply);
    counted({ before, after: result.state, by: vote.person, name, alone });
  }

  #refuse(signed: SignedVote, reason: string, isTheirs = false): void {
    const { vote } = signed;
    this.#parts.home.record('vote.refused', isTheirs ? `person/${vote.person}` : claimedBy(vote.person), reason, {
      question: vote.question,
      choice: vote.choice,
      via: vote.via,
      vote: vote.id,
      signature: signed.signature,
    });
    this.#answer(signed, reason);
  }

  /** The desk that received the click knows where its answer goes; for other votes nobody waits for one. */
  #answer({ vote, signature }: SignedVote, text: string): void {
    if (vote.via !== 'slack') return;
    const { home, desk } = this.#parts;
    void home
      .during(desk.answerClick({ incident: home.ref, click: vote.id, signature, text }))
      .catch((error) => home.note('card.failed', 'engine', stepFailure(error).message));
  }
}
