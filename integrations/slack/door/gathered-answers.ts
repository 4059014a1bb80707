import type { ReplyTo } from '../../../core/incident/click-reply.ts';
import type { Pace } from '../post/pace.ts';
import { linesUpTo } from '../views/text.ts';

const gatherMs = 1_500;
const mostNamed = 12;

/** The outcome of a click, and whom to tell. */
type Answered = ReplyTo & { readonly text: string };

interface Gathering {
  readonly answers: { readonly name: string; readonly text: string }[];
  readonly sent: Promise<void>;
}

/** One answer to several questions brings replies from as many incidents; the person gets them together. Resolves when the reply is sent. */
export class GatheredAnswers {
  readonly #send: (answer: Answered) => Promise<void>;
  readonly #pace: Pace;
  readonly #open = new Map<string, Gathering>();

  constructor(send: (answer: Answered) => Promise<void>, pace: Pace) {
    this.#send = send;
    this.#pace = pace;
  }

  answer({ together, ...answer }: Answered): Promise<void> {
    if (!together) return this.#send({ ...answer, text: named(answer) });
    const { channel, user, text } = answer;
    const key = JSON.stringify([channel, user, together.id]);
    const known = this.#open.get(key) ?? this.#begin(key, { channel, user });
    known.answers.push({ name: together.name, text });
    return known.sent;
  }

  #begin(key: string, whom: Pick<ReplyTo, 'channel' | 'user'>): Gathering {
    const answers: Gathering['answers'][number][] = [];
    const sent = new Promise<void>((resolve, reject) => {
      this.#pace.later(() => {
        this.#open.delete(key);
        this.#send({ ...whom, text: together(answers) }).then(resolve, reject);
      }, gatherMs);
    });
    const gathering = { answers, sent };
    this.#open.set(key, gathering);
    return gathering;
  }
}

/** Adds the question's subject to an answer, for people who answer several in a minute. */
export function named({ text, about }: Pick<Answered, 'text' | 'about'>): string {
  return about === undefined ? text : `${text} (${about})`;
}

/** A text that applies to several targets appears once, with their names. */
export function together(answers: readonly { readonly name: string; readonly text: string }[]): string {
  const byText = new Map<string, string[]>();
  for (const { name, text } of answers) byText.set(text, [...(byText.get(text) ?? []), name]);
  const lines = [...byText].map(([text, names]) => `${names.length} × ${text} (${namesOf(names)})`);
  return linesUpTo(lines, 2_800);
}

export function namesOf(names: readonly string[]): string {
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  return `${names.slice(0, mostNamed).join(', ')}${more}`;
}
