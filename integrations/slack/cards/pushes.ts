import { LRUCache } from 'lru-cache';
import { atLeast, type Severity } from '../../../core/alert/severity.ts';
import type { QuestionCard } from '../../../core/cards/card.ts';
import { labelOf } from '../views/render.ts';

/** In a storm nobody is notified of each question: the channel and the summary show them. */
const quietForMs = 5 * 60_000;
const mostPeople = 5_000;

/** Decides whom a new message notifies: each person once in five minutes, unless something worse comes. A restart forgets it, and notifies once more. */
export class Pushes {
  readonly #last: LRUCache<string, { readonly question: string; readonly severity: Severity }>;

  constructor(now: () => number) {
    this.#last = new LRUCache({ max: mostPeople, ttl: quietForMs, ttlResolution: 0, perf: { now } });
  }

  /** Of those asked by this question, whom it may notify now. Asked again for the same question, the answer stays. */
  of({ questionId, level, incident }: Pick<QuestionCard, 'questionId' | 'level' | 'incident'>): readonly string[] {
    const { severity } = incident;
    return (level.accounts ?? []).filter((account) => {
      const last = this.#last.get(account);
      if (last && last.question !== questionId && atLeast(last.severity, severity)) return false;
      this.#last.set(account, { question: questionId, severity });
      return true;
    });
  }
}

/** What has happened to an open question that those who are asked now do not know of. Each is said once. */
export function newsFor(card: QuestionCard): { readonly key: string; readonly text: string } | undefined {
  const { choices, votes, level, questionId, status, text } = card;
  if (status.state !== 'open') return undefined;
  const last = votes.at(-1);
  const choice = last && choices.find(({ id }) => id === last.choice);
  const agreeing = votes.filter((one) => one.choice === last?.choice).length;
  if (last && choice && agreeing < choice.quorum) {
    const missing = choice.quorum - agreeing;
    return {
      key: `push:${questionId}:${choice.id}:${agreeing}:${level.number}`,
      text: `${last.person} answered “${labelOf(card, choice.id)}”. ${missing === 1 ? 'One more person has' : `${missing} more people have`} to agree. ${text}`,
    };
  }
  if (level.number < 2) return undefined;
  return { key: `push:${questionId}:${level.number}`, text: `${level.group} is asked now: ${text}` };
}
