import { typedEnd } from '../decide/approval.ts';
import { answersToSign, answersTyped, type FormAnswers, problemsOfAnswers } from '../decide/form.ts';
import { lastPart } from '../text/object-name.ts';
import { problemOfReason, tooLong } from '../text/reason.ts';
import { oneLine } from '../text/visible-text.ts';
import type { QuestionCard } from './card.ts';

/** A choice as people see it, in Slack, on a page or in a terminal. */
type ShownChoice = QuestionCard['choices'][number];

/** Nobody ends something, or gives up protection, with one tap: it takes a reason, and the end of the name of what ends. */
export function isGuarded({ destructive, weakens }: Pick<ShownChoice, 'destructive' | 'weakens'>): boolean {
  return destructive || weakens;
}

/** Returns whether its answer takes more than a tap: reading its whole plan first, and giving a reason, the name of what ends, or a filled-in form. */
export function needsDialog(choice: Pick<ShownChoice, 'destructive' | 'weakens' | 'form' | 'changes'>): boolean {
  return isGuarded(choice) || choice.form !== undefined || choice.changes.length > 0;
}

/** Returns what has to be typed: the end of the name of what would be ended. A card without a target is about the incident as a whole. */
export function nameToType(
  card: { readonly incident: Pick<QuestionCard['incident'], 'title'> },
  { destructive, target, blastRadius }: ShownChoice,
): string | undefined {
  if (!destructive) return undefined;
  return lastPart(target ?? blastRadius.at(-1) ?? card.incident.title);
}

/** What somebody typed with a choice: in a Slack dialog, or on a page. */
interface TypedWithChoice {
  readonly reason: string;
  readonly target: string | undefined;
  readonly field: (name: string) => string | undefined;
}

interface ChoiceProblem {
  /** For a form: `form.NAME`. */
  readonly field: 'reason' | 'target' | `form.${string}`;
  readonly text: string;
}

type FilledChoice =
  | { readonly ok: true; readonly reason?: string; readonly answers?: FormAnswers }
  | { readonly ok: false; readonly problems: readonly ChoiceProblem[] };

/** Returns whether the typed text is right. Case is ignored: telephones begin with a capital. */
export function filledChoice(typed: TypedWithChoice, card: Parameters<typeof nameToType>[0], choice: ShownChoice): FilledChoice {
  const { reason } = typed;
  const { form } = choice;
  const name = nameToType(card, choice);
  const unreasoned = isGuarded(choice) ? problemOfReason(reason) : tooLong(reason);
  const answers = form && answersTyped(form, typed.field);
  const misfilled = Object.entries(form ? problemsOfAnswers(form, answers) : {});
  const problems: readonly ChoiceProblem[] = [
    ...(name === undefined || typed.target?.toLowerCase() === typedEnd(name)
      ? []
      : [{ field: 'target', text: `These are not the last four characters of ${oneLine(name, 200)}.` } as const]),
    ...misfilled.map(([field, text]) => ({ field: `form.${field}`, text }) as const),
    ...(unreasoned === undefined ? [] : [{ field: 'reason', text: unreasoned } as const]),
  ];
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, ...(reason !== '' && { reason }), ...(form && answers && { answers: answersToSign(form, answers) }) };
}
