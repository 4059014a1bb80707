import type { QuestionCard } from '../../../core/cards/card.ts';
import { questionCard } from './fixture.ts';

export const nameOf = (number: number): string => `cart-${String(number).padStart(3, '0')}`;
export const digestOf = (number: number): string => `sha256:${String(number).padStart(4, '0')}`;

/** The same question about another workload with the same image. */
export function cardOf(number: number, changes: Partial<QuestionCard> = {}): QuestionCard {
  const base = questionCard();
  const name = nameOf(number);
  const pod = `${name}-x2x8k`;
  const of = (text: string): string => text.replaceAll('cart-7d9c5b6f4-x2x8k', pod);
  return {
    ...base,
    questionId: `question-${number}`,
    questionDigest: digestOf(number),
    text: of(base.text),
    incident: { ...base.incident, id: `incident/prod-1/shop/Deployment/${name}`, title: `deployment/shop/${name}` },
    happened: { ...base.happened, pod: `shop/${pod}` },
    contained: base.contained.map((held) => ({ ...held, target: `pod/shop/${pod}` })),
    choices: base.choices.map((choice) => ({
      ...choice,
      ...(choice.target === undefined ? {} : { target: of(choice.target) }),
      changes: choice.changes.map(of),
    })),
    level: { ...base.level, until: new Date(Date.now() + 900_000).toISOString() },
    ...changes,
  };
}
