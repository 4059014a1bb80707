import type { EvidenceClass } from './evidence.ts';
import type { EvidenceHold, RegisteredKey } from './incident-key.ts';

/** How long a class is kept, counted from the creation of its key. */
interface Retention {
  /** Nobody may destroy it before this. */
  readonly atLeastDays: number;
  /** Destroyed automatically after this; absent: never. */
  readonly atMostDays?: number;
}

export type RetentionRules = Readonly<Record<EvidenceClass, Retention>>;

const dayMs = 86_400_000;

function retainedUntil({ class: kind, madeAt }: Pick<RegisteredKey, 'class' | 'madeAt'>, rules: RetentionRules): Date {
  return new Date(Date.parse(madeAt) + rules[kind].atLeastDays * dayMs);
}

/** When the key is destroyed automatically; undefined: never. */
export function expiresAt(
  { class: kind, madeAt }: Pick<RegisteredKey, 'class' | 'madeAt'>,
  rules: RetentionRules,
): Date | undefined {
  const { atMostDays } = rules[kind];
  return atMostDays === undefined ? undefined : new Date(Date.parse(madeAt) + atMostDays * dayMs);
}

/** Why the rules forbid destroying a key now, in words; undefined if they allow it. The store and the incident are checked elsewhere. */
export function whyRetained(key: RegisteredKey, rules: RetentionRules, now: number): string | undefined {
  const { hold } = key;
  if (hold) return `it has been held since ${day(hold.since)} by ${hold.by}: ${hold.reason}${ended(hold)}`;
  const until = retainedUntil(key, rules);
  if (until.getTime() > now)
    return `${key.class} is kept for at least ${rules[key.class].atLeastDays} days, until ${day(until.toISOString())}`;
  return undefined;
}

/** A key's status, as lists show it. */
export function standingOf(key: RegisteredKey, rules: RetentionRules): string {
  const { destroyed, hold, locked } = key;
  if (destroyed) return `destroyed ${day(destroyed.destroyedAt)} by ${destroyed.by}: ${destroyed.reason}`;
  if (hold) return `held by ${hold.by}: ${hold.reason}${ended(hold)}`;
  const end = expiresAt(key, rules);
  const until = end ? `until ${day(end.toISOString())}` : 'until somebody destroys it';
  return locked === undefined ? until : `${until} (${locked})`;
}

function ended({ ending }: EvidenceHold): string {
  return ending ? ` (${ending.by} ordered its end; one more person must)` : '';
}

function day(iso: string): string {
  return iso.slice(0, 10);
}
