import { lastPart } from '../text/object-name.ts';
import type { QuestionCard } from './card.ts';

/** A choice as people see it, in Slack, on a page or in a terminal. */
type ShownChoice = QuestionCard['choices'][number];

/** Nobody ends something, or gives protection up, with one tap: it takes a reason, and the end of the name of what ends. */
export function isGuarded({ destructive, weakens }: Pick<ShownChoice, 'destructive' | 'weakens'>): boolean {
  return destructive || weakens;
}

/** Whether its answer takes more than a tap: its whole plan is read first, and a reason, the name of what ends or a form filled in. */
export function needsDialog(choice: Pick<ShownChoice, 'destructive' | 'weakens' | 'form' | 'changes'>): boolean {
  return isGuarded(choice) || choice.form !== undefined || choice.changes.length > 0;
}

/** What has to be typed: the end of the name of what would be ended. A card that names no target is about the incident as a whole. */
export function nameToType(
  card: { readonly incident: Pick<QuestionCard['incident'], 'title'> },
  { destructive, target, blastRadius }: ShownChoice,
): string | undefined {
  if (!destructive) return undefined;
  return lastPart(target ?? blastRadius.at(-1) ?? card.incident.title);
}
