import { randomBytes } from 'node:crypto';
import { cardMenu, type QuestionCard, type StoredButton } from '../../../core/cards/card.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { subjectOfIncident } from '../../../core/incident/incident.ts';

/**
 * The buttons of a card, and the entries of its menu, under ids that stay the same for as long as the question is known.
 * @throws FB_ERR_REFUSED for another question under the id of one that is known: a click must sign what its card shows.
 */
export async function storedButtons(
  cards: CardStore,
  question: { readonly card: QuestionCard; readonly groups: readonly string[]; readonly requester: string },
): Promise<readonly StoredButton[]> {
  const { card, groups, requester } = question;
  const known = await cards.buttonsOf(card.questionId);
  refuseAnother(card, known);
  // Only an incident hears what is said without deciding.
  const menu = subjectOfIncident(card.incident.id) ? cardMenu.map((id) => ({ id, label: id })) : [];
  const { id, run } = card.incident;
  const buttons = [...card.choices, ...menu].map(({ id: choice, label }): StoredButton => {
    const buttonId = known.find((one) => one.choice === choice)?.buttonId ?? `b_${randomBytes(18).toString('base64url')}`;
    const { questionId, questionDigest } = card;
    return { buttonId, incident: { id, run }, question: questionId, questionDigest, choice, label, groups, requester };
  });
  await cards.saveButtons(buttons);
  return cards.buttonsOf(card.questionId);
}

/** @throws FB_ERR_REFUSED. A question never changes: what differs is another one. */
export function refuseAnother(card: Pick<QuestionCard, 'questionId' | 'questionDigest'>, known: readonly StoredButton[]): void {
  if (known.some(({ questionDigest }) => questionDigest !== card.questionDigest))
    throw new FirebreakError('FB_ERR_REFUSED', `the question ${card.questionId} was asked in other words before`);
}
