import type { RespondFn } from '@slack/bolt';
import { z } from 'zod';
import { isMenuEntry, type QuestionCard, type StoredButton } from '../../../core/cards/card.ts';
import { targetNameOf } from '../../../core/cards/card-group.ts';
import type { OrderDraft } from '../../../core/cards/card-store.ts';
import { needsDialog } from '../../../core/cards/guarded-choice.ts';
import { codeOf } from '../../../core/errors.ts';
import { reasonToSign } from '../../../core/text/reason.ts';
import { redactSecrets } from '../../../core/text/redact.ts';
import type { ShownCards } from '../cards/shown-cards.ts';
import { type ClickRefusal, refusalAnswers } from '../refusal.ts';
import { words } from '../views/blocks.ts';
import { decisionView, filledIn, unseenCard } from '../views/decision-view.ts';
import { detailsView } from '../views/details-view.ts';
import { commentBlock, commentView } from '../views/menu-views.ts';
import type { Arrived, EphemeralAnswer, LinkAnswer, VoteDoor } from './arrived.ts';
import type { Click, ClickChecks } from './click.ts';
import { isCommand } from './command.ts';
import type { CommandDoor } from './command-door.ts';
import type { Dialogs } from './dialogs.ts';
import { named } from './gathered-answers.ts';
import type { GroupDoor } from './group-door.ts';
import type { OrderDialogs } from './order-dialogs.ts';
import { isShortcut } from './shortcut.ts';
import type { DraftSubmission, GroupSubmission, Submission, SubmissionChecks } from './submission.ts';
import { type UnansweredRequests, type Whom, whomOf } from './unanswered.ts';

type Choice = QuestionCard['choices'][number];

/** `details` is mrkdwn, escaped already. `asksFor` opens a dialog; the text typed there comes back as the click's `reason`. */
export type MenuAnswer =
  | { readonly text: string; readonly taken?: true }
  | { readonly details: string }
  | { readonly asksFor: 'comment' }
  | { readonly opens: OrderDraft };

interface DoorParts extends VoteDoor {
  readonly clicks: ClickChecks;
  readonly submissions: SubmissionChecks;
  readonly shown: ShownCards;
  readonly dialogs: Dialogs;
  readonly onSignIn: (click: Click, about: { readonly card: QuestionCard; readonly choice: Choice }) => Promise<LinkAnswer>;
  readonly onMenu: (click: Click) => Promise<MenuAnswer>;
  readonly commands: CommandDoor;
  readonly orders: OrderDialogs;
  readonly groups: GroupDoor;
  readonly unanswered: UnansweredRequests;
  readonly refused: (refusal: ClickRefusal) => void;
  readonly now: () => number;
}

/** Our own answer goes out at 2 s; a dialog no longer shows anything that comes later than this. */
const shownInDialogMs = 1_800;

const kindOf = z.object({ type: z.string() });

/** Receives people's clicks and dialogs. Each is checked, answered, and turned into a vote or a dialog; nothing else gets through. */
export class Door {
  readonly #parts: DoorParts;

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  async take(arrived: Arrived): Promise<void> {
    const kind = kindOf.safeParse(arrived.body);
    if (kind.success && kind.data.type === 'view_submission') return this.#submitted(arrived);
    const { body } = arrived;
    await this.#promised(whomOf(body), async () => {
      await arrived.ack();
      await (isCommand(body) || isShortcut(body) ? this.#parts.commands.take(arrived) : this.#clicked(arrived));
    });
  }

  /** Anyone whose request Slack has confirmed gets an answer, from the next desk if this one dies first. */
  async #promised(whom: Whom | undefined, work: () => Promise<void>): Promise<void> {
    const answered = await this.#parts.unanswered.begin(whom);
    try {
      await work();
    } finally {
      await answered();
    }
  }

  async #clicked({ body, respond }: Arrived): Promise<void> {
    const { clicks, shown, refused } = this.#parts;
    const checked = await clicks.check(body);
    if (!checked.ok) {
      refused(checked.refusal);
      if (checked.replyTo) await this.#tell({ ...checked.replyTo, text: refusalAnswers[checked.refusal.reason] }, respond);
      return;
    }
    if ('groupClick' in checked) return this.#parts.groups.clicked(checked.groupClick, respond);
    const known = await shown.of(checked.click.button.question);
    const click = clickAbout(checked.click, known?.card);
    if (isMenuEntry(click.button.choice)) return this.#menu(click, known?.card, respond);
    if (known && shown.hasJustChanged(known)) {
      refused({ reason: 'just_changed', detail: 'the card changed as it was clicked', ...whose(click) });
      return this.#answer(click, `${refusalAnswers.just_changed}\n${asItStands(known.card)}`, respond);
    }
    const { card, choice } = aboutOf(known?.card, click.button);
    const answer = needsDialog(choice)
      ? await this.#asked({ click, card, choice, respond })
      : await this.#voted(click, { card, choice });
    if (answer !== undefined) await this.#answer(click, answer, respond);
  }

  /** For clicks that do not answer the question: the service says what they do and which dialog they need. */
  async #menu(click: Click, kept: QuestionCard | undefined, respond: RespondFn | undefined): Promise<void> {
    const { onMenu, dialogs, orders, log } = this.#parts;
    const card = kept ?? unseenCard(click.button).card;
    try {
      const answer = await onMenu(click);
      if ('details' in answer) await dialogs.open(click, respond, () => detailsView(card, answer.details));
      else if ('asksFor' in answer) await dialogs.open(click, respond, (modalId) => commentView(card, modalId));
      else if ('opens' in answer) await orders.open(click, respond, answer.opens, card.happened.rule);
      else await this.#answer(click, answer, respond);
    } catch (error) {
      log('menu not handled', { error: codeOf(error), click: click.clickId });
      await this.#answer(click, `That did not work (${codeOf(error)}). Try again.`, respond);
    }
  }

  /** Opens the dialog only for people who may answer. Returns undefined if it is open. */
  async #asked({
    click,
    card,
    choice,
    respond,
  }: ReturnType<typeof aboutOf> & { readonly click: Click; readonly respond: RespondFn | undefined }): Promise<
    LinkAnswer | undefined
  > {
    const { mayAnswer, dialogs, log } = this.#parts;
    try {
      const { refusal } = await mayAnswer(click);
      if (refusal !== undefined) return { text: refusal };
      await dialogs.open(click, respond, (modalId) => decisionView({ card, choice, modalId }));
      return undefined;
    } catch (error) {
      log('dialog not opened', { error: codeOf(error), click: click.clickId });
      return { text: `The dialog could not be opened (${codeOf(error)}). Nothing was decided. Click again.` };
    }
  }

  /** Votes; for the widest steps, returns the link to the sign-in that makes the vote count. */
  async #voted(click: Click, about: ReturnType<typeof aboutOf>): Promise<LinkAnswer> {
    const { onClick, onSignIn, log } = this.#parts;
    try {
      return await (about.choice.stepUp ? onSignIn(click, about) : onClick(click));
    } catch (error) {
      log('click not handled', { error: codeOf(error), click: click.clickId });
      return { text: `Your answer was not recorded (${codeOf(error)}). Click again.` };
    }
  }

  async #submitted({ body, ack }: Arrived): Promise<void> {
    const { submissions, refused, now } = this.#parts;
    const began = now();
    const checked = await submissions.check(body);
    if (!checked.ok) {
      const text = refusalAnswers[checked.refusal.reason];
      refused(checked.refusal);
      await ack(notice(text));
      if (checked.replyTo) await this.#tell({ ...checked.replyTo, text }, undefined);
      return;
    }
    const { slackUser, channel, messageTs } = checked.submission.modal;
    const whom = { slackUser, channel, ...(messageTs !== undefined && { messageTs }) };
    await this.#promised(whom, () => this.#sentOff(checked.submission, ack, began));
  }

  async #sentOff(submission: Submission | DraftSubmission | GroupSubmission, ack: Arrived['ack'], began: number): Promise<void> {
    const { dialogs, orders, now } = this.#parts;
    const respond = dialogs.respondOf(submission.modal.modalId);
    if ('asks' in submission) return this.#parts.groups.submitted(submission, ack, respond);
    if ('draft' in submission) {
      const told = await orders.take(submission, ack);
      if (told) await this.#tell(told, respond);
      return;
    }
    const known = await this.#parts.shown.of(submission.click.button.question);
    const click = clickAbout(submission.click, known?.card);
    if (isMenuEntry(click.button.choice)) {
      await ack();
      return this.#menu({ ...click, reason: redactSecrets(submission.typed[commentBlock] ?? '') }, undefined, respond);
    }
    const filled = filledOf(submission, known?.card);
    if (!filled.ok) {
      await ack({ response_action: 'errors', errors: filled.errors });
      if (now() - began > shownInDialogMs) await this.#answer(click, Object.values(filled.errors).join(' '), respond);
      return;
    }
    await ack();
    const { reason, answers, about } = filled;
    const said = { ...(reason !== undefined && { reason: reasonToSign(reason) }), ...(answers && { answers }) };
    await this.#answer(click, await this.#voted({ ...click, ...said }, about), respond);
  }

  async #answer(
    { clickId, channel, slackUser, about }: Click,
    answer: LinkAnswer | string,
    respond: RespondFn | undefined,
  ): Promise<void> {
    const { taken, ...told }: LinkAnswer = typeof answer === 'string' ? { text: answer } : answer;
    if (taken && !(await this.#parts.receipts.isNeeded([clickId]))) return;
    await this.#tell(
      { channel, user: slackUser, ...told, text: named({ text: told.text, ...(about !== undefined && { about }) }) },
      respond,
    );
  }

  #tell(told: EphemeralAnswer, respond: RespondFn | undefined): Promise<void> {
    return this.#parts.tell(told, respond);
  }
}

function whose({ slackUser, button }: Click): Pick<ClickRefusal, 'slackUser' | 'buttonId'> {
  return { slackUser, buttonId: button.buttonId };
}

/** The dialog's content after it was rejected. */
function notice(text: string) {
  const section = { type: 'section', text: words(text, 2_900) };
  return {
    response_action: 'update',
    view: { type: 'modal', title: words('Not taken', 24), close: words('Close', 24), blocks: [section] },
  };
}

/** Returns what was filled in, matched to the form of the card's choice. */
function filledOf({ click, typed }: Submission, card: QuestionCard | undefined) {
  const about = aboutOf(card, click.button);
  const filled = filledIn(typed, about.card, about.choice);
  return filled.ok ? { ...filled, about } : filled;
}

/** Returns the click with the name of its question's subject. */
function clickAbout(click: Click, card: QuestionCard | undefined): Click {
  return card ? { ...click, about: targetNameOf(card) } : click;
}

/** Returns the card as last shown, and the choice that the button stands for. */
function aboutOf(card: QuestionCard | undefined, button: StoredButton) {
  const choice = card?.choices.find(({ id }) => id === button.choice);
  return card && choice ? { card, choice } : unseenCard(button);
}

/** For a person who clicked on a card that has just changed. */
function asItStands({ text, choices }: QuestionCard): string {
  return [`Now: ${text}`, ...choices.map(({ label, changes }) => `• ${label}: ${changes.join('; ') || 'changes nothing'}`)].join(
    '\n',
  );
}
