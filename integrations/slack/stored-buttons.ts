import { randomBytes } from 'node:crypto';
import { type CardStore, cardMenu, type QuestionCard, type StoredButton } from '../../core/card.ts';
import { subjectOfIncident } from '../../core/incident.ts';

/** The buttons of a card, and the entries of its menu, under ids that stay the same for as long as the question is known. */
export async function storedButtons(
  cards: CardStore,
  question: { readonly card: QuestionCard; readonly groups: readonly string[]; readonly requester: string },
): Promise<readonly StoredButton[]> {
  const { card, groups, requester } = question;
  const known = await cards.buttonsOf(card.questionId);
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
