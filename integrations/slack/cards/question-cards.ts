import { randomBytes } from 'node:crypto';
import { cardMenu, isMenuEntry, type MessageRef, type QuestionCard, type StoredButton } from '../../../core/cards/card.ts';
import { type CardGroup, type GroupButton, seenOf } from '../../../core/cards/card-group.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { subjectOfIncident } from '../../../core/incident/incident.ts';
import { MessageGone } from '../fault.ts';
import type { DirectMessages } from '../post/direct-messages.ts';
import { EditLine } from '../post/edit-line.ts';
import type { Pace } from '../post/pace.ts';
import type { Posting } from '../post/posting.ts';
import type { IncidentThreads } from '../post/threads.ts';
import { type GroupTarget, groupBlocks } from '../views/group-card.ts';
import { movedBlocks, questionBlocks, type RenderedMessage } from '../views/render.ts';
import type { AskedCard, Groups } from './groups.ts';
import type { OverflowThread } from './overflow-thread.ts';
import { newsFor, Pushes } from './pushes.ts';
import type { ShownCards } from './shown-cards.ts';

const askedOfActor =
  'An alert names you as the one who did this. Was it you? Open the card, and say with ⋮ → Comment what you are doing and for which ticket. You cannot decide on it.';

/** Further targets are single lines, without room for a link. */
const mostLinks = 10;

interface QuestionCardsParts {
  readonly cards: CardStore;
  readonly shown: ShownCards;
  readonly posting: Posting;
  readonly threads: IncidentThreads;
  readonly direct: DirectMessages;
  readonly overflow: OverflowThread;
  readonly groups: Groups;
  /** The channel's id. */
  readonly channel: string;
  readonly pace: Pace;
  readonly now: () => number;
}

/** Questions as cards: each posted once and edited in place; those with the same playbook, rule and image share the card of the first. */
export class QuestionCards {
  readonly #parts: QuestionCardsParts;
  readonly #edits: EditLine;
  readonly #pushes: Pushes;
  /** Counted apart: who is asked to answer may be named in another incident. */
  readonly #pushesToActors: Pushes;

  constructor(parts: QuestionCardsParts) {
    this.#parts = parts;
    this.#edits = new EditLine(parts.pace);
    this.#pushes = new Pushes(parts.now);
    this.#pushesToActors = new Pushes(parts.now);
  }

  async post(asked: AskedCard): Promise<MessageRef> {
    const { cards, groups, shown, overflow, threads } = this.#parts;
    const { card } = asked;
    await this.#takeUp(card);
    await storedButtons(cards, asked);
    const group = await groups.join(asked);
    const head = group?.head ?? card.questionId;
    const isKnown = (await cards.message(head)) !== undefined;
    const isThere = isProposal(card) && isKnown;
    const posted = await this.#posted(head);
    await this.#askActors(card, posted);
    if (!isKnown && head === card.questionId)
      await this.#tellDirectly(card, { key: card.questionId, text: card.text, message: posted });
    // An earlier run asked the same question: its card now belongs to this run.
    if (isThere) await this.#edit(head);
    const message = (await cards.message(head)) ?? posted;
    const place = (await shown.of(card.questionId))?.overflow;
    if (head === card.questionId) await threads.begin(card.incident, { message, overflow: place });
    else await this.#joined(head, card, place ?? message);
    overflow.changed(place ? 'in the thread' : 'in the channel');
    for (const leaving of overflow.leaving()) {
      await this.#moveIntoThread(leaving);
      overflow.hasLeft(leaving);
    }
    return message;
  }

  async update(card: QuestionCard): Promise<void> {
    const { cards, shown, groups, overflow } = this.#parts;
    if ((await cards.message(card.questionId)) === undefined && (await shown.of(card.questionId)) === undefined)
      throw new FirebreakError('FB_ERR_NOT_FOUND', 'the question has no card yet');
    const known = await cards.buttonsOf(card.questionId);
    if (!isAskedAnew(card, (await shown.of(card.questionId))?.card)) refuseAnother(card, known);
    const group = await groups.of(card.questionId);
    await shown.editing(card, async () => {
      // After the card: whoever answers on a page that shows the earlier question finds it changed.
      await renewButtons(cards, card, known);
      await this.#edit(group?.head ?? card.questionId);
    });
    if (group && card.status.state !== 'open') await groups.settle(group.groupId);
    overflow.changed((await shown.of(card.questionId))?.overflow ? 'in the thread' : 'in the channel');
    await this.#tellWhoIsAsked(card);
    const message = await cards.message(group?.head ?? card.questionId);
    if (message) await this.#askActors(card, message);
  }

  /** Whoever an alert names may not decide, but knows best: what they say is on the card's thread, and no vote. */
  async #askActors(card: QuestionCard, message: MessageRef): Promise<void> {
    const { actors = [], level, questionId, incident, status } = card;
    if (actors.length === 0 || status.state !== 'open') return;
    const named = this.#pushesToActors.of({ questionId, level: { ...level, accounts: actors }, incident });
    await this.#parts.direct.tell(named, { key: `actor:${questionId}`, text: askedOfActor, incident, message });
  }

  /** An edit notifies nobody, so those who are asked from now on get a message. */
  async #tellWhoIsAsked(card: QuestionCard): Promise<void> {
    const { cards, threads } = this.#parts;
    const news = newsFor(card);
    if (!news || (await cards.message(`line:${news.key}`)) !== undefined) return;
    const called = this.#pushes.of(card);
    if (called.length === 0) return;
    await threads.post({ ...news, incident: card.incident }, called);
    const message = await cards.message(card.questionId);
    if (message) await this.#tellDirectly(card, { ...news, message });
  }

  async #tellDirectly(
    card: QuestionCard,
    told: { readonly key: string; readonly text: string; readonly message: MessageRef },
  ): Promise<void> {
    await this.#parts.direct.tell(this.#pushes.of(card), { ...told, incident: card.incident });
  }

  /** As first posted: it mentions whom it may notify. */
  #notifying(card: QuestionCard): QuestionCard {
    return { ...card, level: { ...card.level, accounts: this.#pushes.of(card) } };
  }

  /** A proposal above all incidents is asked again, word for word, by each run that takes it over: the card and its buttons then belong to that run. */
  async #takeUp(card: QuestionCard): Promise<void> {
    const { cards, shown } = this.#parts;
    const [known] = await cards.buttonsOf(card.questionId);
    const isOfAnotherRun = known?.incident.id === card.incident.id && known.incident.run !== card.incident.run;
    if (isProposal(card) && isOfAnotherRun) await shown.takeUp(card, known.incident.run);
  }

  /** Finds the question's card if its posting was cut off before we got the answer. */
  async lookFor(question: string): Promise<MessageRef | 'unseen' | undefined> {
    const { cards, shown, groups, posting, channel } = this.#parts;
    const head = (await groups.of(question))?.head ?? question;
    const overflow = (await shown.of(head))?.overflow;
    const found = await posting.lookFor({ key: head, channel, ...(overflow && { threadTs: overflow.ts }) });
    if (typeof found === 'object' && head !== question) await cards.saveMessage(question, found);
    return found;
  }

  /** The first caller posts it, even if it is one of those that join. */
  async #posted(head: string, rendered?: RenderedMessage): Promise<MessageRef> {
    const { posting, shown, channel } = this.#parts;
    const post = (): Promise<MessageRef> =>
      posting.postOnce(head, async () => {
        const known = await shown.of(head);
        if (!known) throw new FirebreakError('FB_ERR_NOT_FOUND', 'the question has no place yet');
        const { card, overflow } = known;
        const thread = overflow && { threadTs: overflow.ts };
        return { key: head, channel, question: true, ...thread, ...(rendered ?? (await this.#alone(this.#notifying(card)))) };
      });
    try {
      return await post();
    } catch (error) {
      const known = await shown.of(head);
      if (!(error instanceof MessageGone) || !known?.overflow) throw error;
      // Somebody deleted the summary in whose thread it belongs: then it goes into the channel.
      await shown.posting(known.card, known.group === undefined ? {} : { group: known.group });
      return post();
    }
  }

  /** Updates about the joined question name it, in the thread that it shares with the others. Resolves once it is visible. */
  async #joined(head: string, card: QuestionCard, thread: MessageRef): Promise<void> {
    const { cards, shown, threads } = this.#parts;
    const first = await shown.of(head);
    const message = await this.#posted(head);
    await cards.saveMessage(card.questionId, message);
    await threads.begin(card.incident, { message, overflow: thread });
    if (first) await threads.share(first.card.incident, thread);
    await this.#edit(head);
  }

  /** Renders the state at the time when its turn comes. */
  #edit(head: string): Promise<void> {
    const { cards, shown, groups } = this.#parts;
    return this.#edits.edit(head, async () => {
      const message = await cards.message(head);
      const known = await shown.of(head);
      if (!known) return;
      const group = await groups.of(head);
      const rendered =
        group && group.questions.length > 1 ? await this.#together(group, message) : await this.#alone(known.card, message);
      const isThere = message !== undefined && (await this.#edited({ key: head, message, ...rendered }));
      if (!isThere) await this.#postAgain(head, { from: message, group, rendered });
    });
  }

  /** False: somebody has deleted the message. */
  async #edited(edit: RenderedMessage & { readonly key: string; readonly message: MessageRef }): Promise<boolean> {
    try {
      await this.#parts.posting.update(edit);
      return true;
    } catch (error) {
      if (error instanceof MessageGone) return false;
      throw error;
    }
  }

  /** The card was deleted while still open: a question must not disappear with its message. Its buttons stay the same. */
  async #postAgain(
    head: string,
    was: { readonly from: MessageRef | undefined; readonly group: CardGroup | undefined; readonly rendered: RenderedMessage },
  ): Promise<void> {
    const { cards, shown, groups, threads } = this.#parts;
    const known = await shown.of(head);
    const members = was.group ? await groups.members(was.group) : known ? [known] : [];
    if (!members.some(({ card }) => card.status.state === 'open')) return;
    if (was.from) await cards.forgetMessage(head);
    const message = await this.#posted(head, was.rendered);
    for (const { card } of members) {
      await cards.saveMessage(card.questionId, message);
      if (was.from) await threads.moved(card.incident, { from: was.from, to: message });
    }
  }

  /** Its place in the channel goes to a more severe question. Its incident's news stays where it is. */
  #moveIntoThread(head: string): Promise<void> {
    const { cards, shown, groups, overflow } = this.#parts;
    return this.#edits.edit(head, async () => {
      const known = await shown.of(head);
      if (!known?.overflow) return;
      const group = await groups.of(head);
      const members = group ? await groups.members(group) : [known];
      const from = await cards.message(head);
      const rendered = group && members.length > 1 ? await this.#together(group, undefined) : await this.#alone(known.card);
      if (from) {
        await this.#edited({ key: `left:${head}`, message: from, ...movedBlocks(known.card) });
        await cards.forgetMessage(head);
      }
      const message = await this.#posted(head, rendered);
      for (const { card } of members) await cards.saveMessage(card.questionId, message);
      overflow.changed('in the thread');
    });
  }

  async #alone(card: QuestionCard, message?: MessageRef): Promise<RenderedMessage> {
    const { cards, threads } = this.#parts;
    return questionBlocks(card, {
      buttons: await cards.buttonsOf(card.questionId),
      ...(await threads.urlFor(card, message)),
    });
  }

  async #together(group: CardGroup, message: MessageRef | undefined): Promise<RenderedMessage> {
    const { cards, groups, threads } = this.#parts;
    const targets: GroupTarget[] = [];
    for (const { card } of await groups.members(group)) {
      const link = targets.length < mostLinks ? await threads.urlFor(card, message) : {};
      targets.push({ card, buttons: await cards.buttonsOf(card.questionId), ...link });
    }
    const open = targets.flatMap(({ card }) => (card.status.state === 'open' ? [card] : []));
    return groupBlocks(targets, await this.#buttonsFor(group, open));
  }

  /** The same buttons as long as they stand for the same questions; else new ones, so that a click shows what was seen. */
  async #buttonsFor({ groupId }: CardGroup, open: readonly QuestionCard[]): Promise<readonly GroupButton[]> {
    const { cards, now } = this.#parts;
    const targets = open.map((card) => ({ question: card.questionId, seen: seenOf(card) }));
    const last = await cards.groupButtons(groupId);
    const before = last[0]?.targets ?? [];
    const isSame =
      before.length === targets.length &&
      before.every(({ question, seen }, place) => targets[place]?.question === question && targets[place]?.seen === seen);
    const [first] = open;
    if (isSame || !first) return last;
    const shownAt = Math.max(now(), (last[0]?.shownAt ?? 0) + 1);
    const ids = [...first.choices.map(({ id }) => id), undefined];
    const buttons = ids.map((choice): GroupButton => {
      const buttonId = `g_${randomBytes(18).toString('base64url')}`;
      return { buttonId, groupId, ...(choice !== undefined && { choice }), targets, shownAt };
    });
    await cards.saveGroupButtons(buttons);
    return buttons;
  }
}

/**
 * The buttons of a card, and the entries of its menu, with ids that stay the same for as long as the question is known.
 * @throws FB_ERR_REFUSED for a different question under a known id: a click must sign what its card shows.
 */
export async function storedButtons(
  cards: CardStore,
  question: { readonly card: QuestionCard; readonly groups: readonly string[]; readonly requester: string },
): Promise<readonly StoredButton[]> {
  const { card, groups, requester } = question;
  const { id, run } = card.incident;
  const known = await cards.buttonsOf(card.questionId);
  refuseAnother(
    card,
    known.filter((one) => !isProposal(card) || one.incident.id !== id || one.incident.run === run),
  );
  // Only an incident receives remarks that decide nothing.
  const menu = isProposal(card) ? [] : cardMenu.map((id) => ({ id, label: id }));
  const buttons = [...card.choices, ...menu].map(({ id: choice, label }): StoredButton => {
    const buttonId = known.find((one) => one.choice === choice)?.buttonId ?? newButtonId();
    const { questionId, questionDigest } = card;
    return { buttonId, incident: { id, run }, question: questionId, questionDigest, choice, label, groups, requester };
  });
  await cards.saveButtons(buttons);
  return cards.buttonsOf(card.questionId);
}

/**
 * Whether it is a question of an incident that was open, asked anew because a further finding has joined it: in other words, but each answer does what it did. Earlier
 * answers do not count for it.
 */
function isAskedAnew({ incident, choices }: QuestionCard, before: QuestionCard | undefined): boolean {
  return (
    before !== undefined &&
    subjectOfIncident(incident.id) !== undefined &&
    before.status.state === 'open' &&
    before.incident.id === incident.id &&
    before.incident.run === incident.run &&
    whatAnswersDo(choices) === whatAnswersDo(before.choices)
  );
}

function whatAnswersDo(choices: QuestionCard['choices']): string {
  return JSON.stringify(
    choices.map(({ id, actions = [], destructive, weakens, target = '', changes, blastRadius, notes, form }) => {
      return [id, actions, destructive, weakens, target, changes, blastRadius, notes, form !== undefined];
    }),
  );
}

/** An answer signs what its own button was shown with, so each gets a new one. The menu decides nothing, and links to it stay valid. */
async function renewButtons(cards: CardStore, card: QuestionCard, known: readonly StoredButton[]): Promise<void> {
  const { questionDigest } = card;
  const outdated = known.filter((one) => one.questionDigest !== questionDigest);
  await cards.replaceButtons(
    outdated.map((one) => ({
      ...one,
      buttonId: isMenuEntry(one.choice) ? one.buttonId : newButtonId(),
      questionDigest,
      label: card.choices.find(({ id }) => id === one.choice)?.label ?? one.label,
    })),
  );
}

function newButtonId(): string {
  return `b_${randomBytes(18).toString('base64url')}`;
}

/** Above all incidents: its id is that of the proposal, and the same in each run that asks it. */
function isProposal({ incident }: Pick<QuestionCard, 'incident'>): boolean {
  return subjectOfIncident(incident.id) === undefined;
}

/** @throws FB_ERR_REFUSED: a different digest means a different question. */
function refuseAnother(card: Pick<QuestionCard, 'questionId' | 'questionDigest'>, known: readonly StoredButton[]): void {
  if (known.some(({ questionDigest }) => questionDigest !== card.questionDigest))
    throw new FirebreakError('FB_ERR_REFUSED', `the question ${card.questionId} was asked before in other words`);
}
