import { createHash } from 'node:crypto';
import type { RespondFn } from '@slack/bolt';
import type { QuestionCard } from '../../../core/cards/card.ts';
import { type GroupAsk, type SeenTarget, seenOf, targetNameOf } from '../../../core/cards/card-group.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { needsDialog } from '../../../core/cards/guarded-choice.ts';
import { codeOf } from '../../../core/errors.ts';
import { reasonToSign } from '../../../core/text/reason.ts';
import type { ShownCards } from '../cards/shown-cards.ts';
import { allView, chooseView, type FilledGroup, groupIn } from '../views/group-views.ts';
import type { Arrived, VoteDoor } from './arrived.ts';
import type { Click, GroupClick } from './click.ts';
import type { Dialogs } from './dialogs.ts';
import { namesOf, together } from './gathered-answers.ts';
import type { GroupSubmission } from './submission.ts';

interface GroupDoorParts extends VoteDoor {
  readonly cards: CardStore;
  readonly shown: ShownCards;
  readonly dialogs: Dialogs;
}

/** Maximum number of concurrent votes: each is a signal to a different incident. */
const atOnce = 10;

/** The targets that are unchanged since they were seen, and those that are not. */
interface Standing {
  readonly standing: readonly QuestionCard[];
  readonly gone: readonly string[];
}

type Answering = Pick<Click, 'clickId' | 'slackUser' | 'channel' | 'messageTs'>;

/**
 * Handles one answer to several questions: a vote for each question that is unchanged since the person saw it. Roster, incident and cell check each vote
 * separately.
 */
export class GroupDoor {
  readonly #parts: GroupDoorParts;

  constructor(parts: GroupDoorParts) {
    this.#parts = parts;
  }

  async clicked(click: GroupClick, respond: RespondFn | undefined): Promise<void> {
    const { tell, log } = this.#parts;
    const { channel, slackUser: user } = click;
    try {
      const text = await this.#answered(click, respond);
      if (text !== undefined) await tell({ channel, user, text }, respond);
    } catch (error) {
      log('click not handled', { error: codeOf(error), click: click.clickId });
      await tell({ channel, user, text: `Your answer was not recorded (${codeOf(error)}). Click again.` }, respond);
    }
  }

  /** Returns undefined if a dialog is open, or the incidents have answered. */
  async #answered(click: GroupClick, respond: RespondFn | undefined): Promise<string | undefined> {
    const { mayAnswer, dialogs } = this.#parts;
    const { groupId, choice: id, targets } = click.button;
    const { standing, gone } = await this.#asSeen(targets);
    const [first] = standing;
    if (!first) return nothingStands;
    const choice = first.choices.find((one) => one.id === id);
    const offered = standing.map(({ choices }) => choices.find((one) => one.id === id));
    if (id !== undefined && offered.every((one) => one !== undefined && !needsDialog(one)))
      return this.#vote(
        { ...click, of: targets.length },
        { standing, gone },
        { choice: id, picked: standing.map((_, place) => place) },
      );
    const { refusal } = await mayAnswer(await this.#clickFor(click, first, id ?? first.choices[0]?.id ?? ''));
    if (refusal !== undefined) return refusal;
    const asks: GroupAsk = {
      groupId,
      ...(id !== undefined && { choice: id }),
      targets: standing.map((card) => ({ question: card.questionId, seen: seenOf(card) })),
    };
    const { button: _, ...opening } = click;
    await dialogs.open(
      opening,
      respond,
      (modalId) => (choice ? allView({ cards: standing, choice, modalId }) : chooseView({ cards: standing, modalId })),
      { asks },
    );
    return undefined;
  }

  async submitted({ modal, asks, typed }: GroupSubmission, ack: Arrived['ack'], respond: RespondFn | undefined): Promise<void> {
    const { shown, tell } = this.#parts;
    const { targets, choice } = asks;
    const { slackUser, channel, messageTs = '', modalId } = modal;
    // Positions in the dialog refer to its list, whatever has become of the targets since.
    const listed = await Promise.all(targets.map(async ({ question }) => (await shown.of(question))?.card));
    const known = listed.filter((card) => card !== undefined);
    const read = known.length === targets.length ? groupIn(typed, known, choice) : undefined;
    if (read && !read.ok) return ack({ response_action: 'errors', errors: read.errors });
    await ack();
    const clickId = `click-${digest(`dialog ${modalId}`)}`;
    const answering = { clickId, slackUser, channel, messageTs };
    const text = read ? await this.#decided(answering, targets, read.filled) : nothingStands;
    if (text !== undefined) await tell({ channel, user: slackUser, text }, respond);
  }

  async #decided(
    answering: Answering,
    targets: readonly SeenTarget[],
    { picked, reason, ...filled }: FilledGroup,
  ): Promise<string | undefined> {
    const about = await this.#asSeen(picked.flatMap((place) => targets[place] ?? []));
    const all = about.standing.map((_, place) => place);
    const said = { ...filled, picked: all, ...(reason === undefined ? {} : { reason: reasonToSign(reason) }) };
    return this.#vote({ ...answering, of: picked.length }, about, said);
  }

  /** A target that has changed since, or is already decided, gets no vote: nobody saw it in that state. */
  async #asSeen(targets: readonly SeenTarget[]): Promise<Standing> {
    const found = await Promise.all(
      targets.map(async ({ question, seen }) => {
        const card = (await this.#parts.shown.of(question))?.card;
        const stands = card?.status.state === 'open' && seenOf(card) === seen;
        return { card, stands, name: card ? targetNameOf(card) : question };
      }),
    );
    return {
      standing: found.flatMap(({ card, stands }) => (card && stands ? [card] : [])),
      gone: found.filter(({ stands }) => !stands).map(({ name }) => name),
    };
  }

  async #vote(
    answering: Answering & { readonly of: number },
    { standing, gone }: Standing,
    { choice, reason }: FilledGroup,
  ): Promise<string | undefined> {
    const waiting = [...standing];
    const refused: { readonly name: string; readonly text: string }[] = [];
    const taken: string[] = [];
    const work = async (): Promise<void> => {
      for (let card = waiting.shift(); card; card = waiting.shift()) {
        const result = await this.#voteFor(answering, card, choice, reason);
        if (result.taken) taken.push(result.clickId);
        else refused.push({ name: targetNameOf(card), text: result.text });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    const isAllTaken = taken.length === answering.of;
    if (isAllTaken && !(await this.#parts.receipts.isNeeded(taken))) return undefined;
    const label = standing[0]?.choices.find(({ id }) => id === choice)?.label ?? choice;
    return [
      `Accepted for ${taken.length} of ${answering.of}: “${label}”.${taken.length > 0 ? ' It is not counted yet.' : ''}`,
      ...(gone.length === 0 ? [] : [`Not voted on, because it was decided or changed after you saw it: ${namesOf(gone)}.`]),
      ...(refused.length === 0 ? [] : [together(refused)]),
    ].join('\n');
  }

  async #voteFor(answering: Answering, card: QuestionCard, choice: string, reason: string | undefined) {
    const { onClick, log } = this.#parts;
    try {
      const click = await this.#clickFor(answering, card, choice);
      const result = await onClick({ ...click, ...(reason === undefined ? {} : { reason }) });
      return { ...result, clickId: click.clickId };
    } catch (error) {
      log('click not handled', { error: codeOf(error), click: answering.clickId });
      return { text: `Your answer was not recorded (${codeOf(error)}). Click again.`, taken: undefined, clickId: '' };
    }
  }

  /** As if the question's own button had been pressed, with its own id: it is one vote, however often it arrives. */
  async #clickFor({ clickId, slackUser, channel, messageTs }: Answering, card: QuestionCard, choice: string): Promise<Click> {
    const { questionId, questionDigest } = card;
    const stored = (await this.#parts.cards.buttonsOf(questionId)).find((button) => button.choice === choice);
    if (!stored) throw new TypeError('a question without its button');
    return {
      clickId: `click-${digest(JSON.stringify([clickId, questionId]))}`,
      slackUser,
      channel,
      messageTs,
      button: { ...stored, questionDigest },
      together: { id: clickId, name: targetNameOf(card) },
    };
  }
}

const nothingStands =
  'None of this is still as you saw it: it has been decided, or has changed. Look at the card again. Nothing was decided.';

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
