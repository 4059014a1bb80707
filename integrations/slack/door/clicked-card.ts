import type { QuestionCard, StoredButton } from '../../../core/cards/card.ts';
import { targetNameOf } from '../../../core/cards/card-group.ts';
import { filledIn, unseenCard } from '../views/decision-view.ts';
import type { Click } from './click.ts';
import type { Submission } from './submission.ts';

/** What was filled in a dialog, as the card's choice asks for it. */
export function filledOf({ click, typed }: Submission, card: QuestionCard | undefined) {
  const about = aboutOf(card, click.button);
  const filled = filledIn(typed, about.card, about.choice);
  return filled.ok ? { ...filled, about } : filled;
}

/** The click, with the name of what its question is about. */
export function clickAbout(click: Click, card: QuestionCard | undefined): Click {
  return card ? { ...click, about: targetNameOf(card) } : click;
}

/** The card as it was last shown, and the choice that the button is for. */
export function aboutOf(card: QuestionCard | undefined, button: StoredButton) {
  const choice = card?.choices.find(({ id }) => id === button.choice);
  return card && choice ? { card, choice } : unseenCard(button);
}

/** For who clicked on a card that has just become another. */
export function asItStands({ text, choices }: QuestionCard): string {
  return [`Now: ${text}`, ...choices.map(({ label, changes }) => `• ${label}: ${changes.join('; ') || 'changes nothing'}`)].join(
    '\n',
  );
}
