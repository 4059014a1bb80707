import type { EvidenceClass } from './evidence.ts';
import type { EvidenceHold, RegisteredKey } from './incident-key.ts';

/** How long a class is kept, counted from when its key was made. */
interface Retention {
  /** Nobody destroys it before. */
  readonly atLeastDays: number;
  /** After that it is destroyed by itself; absent: never. */
  readonly atMostDays?: number;
}

export type RetentionRules = Readonly<Record<EvidenceClass, Retention>>;

const dayMs = 86_400_000;

function retainedUntil({ class: kind, madeAt }: Pick<RegisteredKey, 'class' | 'madeAt'>, rules: RetentionRules): Date {
  return new Date(Date.parse(madeAt) + rules[kind].atLeastDays * dayMs);
}

/** When it is destroyed by itself; undefined: never. */
export function expiresAt(
  { class: kind, madeAt }: Pick<RegisteredKey, 'class' | 'madeAt'>,
  rules: RetentionRules,
): Date | undefined {
  const { atMostDays } = rules[kind];
  return atMostDays === undefined ? undefined : new Date(Date.parse(madeAt) + atMostDays * dayMs);
}

/** Why a key must not be destroyed now, in words; undefined when it may be, by the rules. What the store and the incident say is asked elsewhere. */
export function whyRetained(key: RegisteredKey, rules: RetentionRules, now: number): string | undefined {
  const { hold } = key;
  if (hold) return `it is held since ${day(hold.since)} by ${hold.by}: ${hold.reason}${ended(hold)}`;
  const until = retainedUntil(key, rules);
  if (until.getTime() > now)
    return `${key.class} is kept for ${rules[key.class].atLeastDays} days at least, until ${day(until.toISOString())}`;
  return undefined;
}

/** What is to be said of a key in a list. */
export function standingOf(key: RegisteredKey, rules: RetentionRules): string {
  const { destroyed, hold, locked } = key;
  if (destroyed) return `destroyed ${day(destroyed.destroyedAt)} by ${destroyed.by}: ${destroyed.reason}`;
  if (hold) return `held by ${hold.by}: ${hold.reason}${ended(hold)}`;
  const end = expiresAt(key, rules);
  const until = end ? `until ${day(end.toISOString())}` : 'until somebody destroys it';
  return locked === undefined ? until : `${until} (${locked})`;
}

function ended({ ending }: EvidenceHold): string {
  return ending ? ` (${ending.by} has ordered its end; one more must)` : '';
}

function day(iso: string): string {
  return iso.slice(0, 10);
}
