import type { Alert } from '../alert/alert.ts';
import { mayCarryRule } from '../alert/own-alerts.ts';
import { sha256Hex } from '../text/digest.ts';
import { keyOfSubject } from './answering.ts';
import { durationMs } from './duration.ts';
import type { Match, MatchPer } from './match.ts';
import { ByRule, conditionKey, matchAlert } from './match-alert.ts';
import type { AnyPlaybook } from './playbook.ts';

/** A part of a match that one alert does not decide: it counts alerts, or waits for one. */
interface TimedCondition {
  readonly key: string;
  /** All else in the match. */
  readonly rest: Match;
  readonly withinMs: number;
  readonly per: MatchPer;
}

interface CountCondition extends TimedCondition {
  readonly times: number;
}

interface AbsenceCondition extends TimedCondition {
  readonly of: Match;
}

/** Every match in it, itself the first. */
function matchesIn(match: Match): readonly Match[] {
  const { any = [], all = [], not } = match;
  return [match, ...[...any, ...all, ...(not ? [not] : [])].flatMap(matchesIn)];
}

/** All matches of these playbooks, those within others too. */
export function matchesOf(playbooks: readonly AnyPlaybook[]): readonly Match[] {
  return playbooks.flatMap(({ on }) => (on.match === 'unanswered' ? [] : matchesIn(on.match)));
}

/** Conditions by rule, each once. */
class Conditions<Condition extends { readonly key: string }> {
  readonly #byRule = new ByRule<Condition>();
  readonly keys = new Set<string>();

  add(condition: Condition, match: Match): void {
    if (this.keys.has(condition.key)) return;
    this.keys.add(condition.key);
    this.#byRule.add(condition, match);
  }

  /** Those that an alert of this rule may meet. */
  of(rule: string): readonly Condition[] {
    return this.keys.size === 0 ? [] : this.#byRule.of(rule);
  }
}

/** When an alert was counted, in milliseconds since 1970, and how its id begins: what is sent twice counts once. */
type Counted = readonly [at: number, id: string];

/** Where counts outlive their process. Writes are begun in their order and not waited for. */
export interface CountStore {
  load(): readonly (readonly [key: string, { readonly value: readonly Counted[] }])[];
  put(key: string, entry: { readonly value: readonly Counted[]; readonly at: number }): void;
  remove(key: string): void;
}

/** For each condition, whoever sends alerts about ever more pods: the oldest of them are forgotten, and none of another condition. */
const mostSubjects = 5_000;
const mostCounted = 100_000;
/** Of what has come often enough: that it came once more changes nothing until then. */
const writtenEveryMs = 1_000;

interface Tally {
  counted: readonly Counted[];
  writtenAt: number;
}

/** Counts alerts over time for playbooks that ask how often they come. Bounded in memory, whatever comes. */
export class AlertCounts {
  readonly #conditions = new Conditions<CountCondition>();
  readonly #tallies = new Map<string, Map<string, Tally>>();
  readonly #kept: CountStore | undefined;

  constructor({ playbooks, kept }: { readonly playbooks: readonly AnyPlaybook[]; readonly kept?: CountStore | undefined }) {
    this.#kept = kept;
    for (const match of matchesOf(playbooks)) {
      const { count, ...rest } = match;
      if (!count) continue;
      const { times, within, per = 'workload' } = count;
      this.#conditions.add({ key: conditionKey(match), rest, withinMs: durationMs(within), per, times }, rest);
    }
    for (const [key, { value }] of kept?.load() ?? []) {
      const [condition = '', subject = ''] = key.split('\n');
      // A playbook that is no longer enabled counts no more.
      if (!this.#conditions.keys.has(condition)) kept?.remove(key);
      else this.#of(condition).set(subject, { counted: value, writtenAt: 0 });
    }
  }

  /** How often such alerts have come, by condition, this one included; undefined where it is not counted. @param now milliseconds since 1970 */
  take(alert: Alert, now: number): Readonly<Record<string, number>> | undefined {
    let counts: Record<string, number> | undefined;
    const subjects: Partial<Record<MatchPer, string>> = {};
    for (const condition of this.#conditions.of(alert.rule)) {
      if (!mayCarryRule(alert) || matchAlert(condition.rest, alert) !== true) continue;
      counts ??= {};
      const { per } = condition;
      // As long as whoever names a pod wants it to be: its digest is not.
      subjects[per] ??= sha256Hex(keyOfSubject(per, alert)).slice(0, 32);
      counts[condition.key] = this.#count(condition, { subject: subjects[per], id: alert.id.slice(0, 12), now });
    }
    return counts;
  }

  /** For tests and figures: how many subjects are remembered. */
  get size(): number {
    return [...this.#tallies.values()].reduce((sum, { size }) => sum + size, 0);
  }

  #of(condition: string): Map<string, Tally> {
    const known = this.#tallies.get(condition) ?? new Map<string, Tally>();
    this.#tallies.set(condition, known);
    return known;
  }

  #count(
    { key, withinMs, times }: CountCondition,
    { subject, id, now }: { readonly subject: string; readonly id: string; readonly now: number },
  ): number {
    const tallies = this.#of(key);
    const known = tallies.get(subject);
    const young = (known?.counted ?? []).filter(([at]) => now - at < withinMs && at <= now);
    const counted: readonly Counted[] = young.some(([, one]) => one === id) ? young : [...young.slice(1 - times), [now, id]];
    const reachedBefore = young.length >= times;
    const writes = !reachedBefore || now - (known?.writtenAt ?? 0) >= writtenEveryMs;
    // Taken out first: a map keeps the order in which keys came, and the oldest is the first to be forgotten.
    tallies.delete(subject);
    tallies.set(subject, { counted, writtenAt: writes ? now : (known?.writtenAt ?? 0) });
    if (writes) this.#kept?.put(`${key}\n${subject}`, { value: counted, at: now });
    const most = Math.min(mostSubjects, Math.floor(mostCounted / times));
    for (const [oldest, tally] of tallies) {
      const last = tally.counted.at(-1)?.[0] ?? 0;
      if (tallies.size <= most && now - last < withinMs) break;
      tallies.delete(oldest);
      this.#kept?.remove(`${key}\n${oldest}`);
    }
    return counted.length;
  }
}

/** An alert after which something has to come. */
export interface AwaitedAlert {
  /** Milliseconds since 1970: until then it has time. */
  readonly due: number;
  readonly alert: Alert;
}

/** Where awaited alerts outlive their process. */
export interface AwaitedStore {
  entries(): Iterable<readonly [key: string, due: number]>;
  get(key: string): AwaitedAlert | undefined;
  put(key: string, awaited: AwaitedAlert): void;
  remove(key: string): void;
}

/** For each condition: more of them at once are not waited for. */
const mostAwaited = 1_000;

/** Waits after alerts for what should follow them. Whatever comes keeps its bounds: what there is no room for is said, and not waited for. */
export class AwaitedAlerts {
  readonly #after = new Conditions<AbsenceCondition>();
  readonly #ending = new Conditions<AbsenceCondition>();
  readonly #due = new Map<string, number>();
  readonly #waiting = new Map<string, number>();
  readonly #kept: AwaitedStore;
  readonly #full: (condition: string) => void;

  /** @param options.notBefore milliseconds since 1970: what was kept has time until then at least, since what ends it may only come now */
  constructor(options: {
    readonly playbooks: readonly AnyPlaybook[];
    readonly kept?: AwaitedStore | undefined;
    readonly notBefore?: number;
    readonly full?: (condition: string) => void;
  }) {
    const { playbooks, kept = inMemory(), notBefore = 0, full = () => {} } = options;
    this.#kept = kept;
    this.#full = full;
    for (const match of matchesOf(playbooks)) {
      const { absent, ...rest } = match;
      if (!absent) continue;
      const { of, within, per = 'workload' } = absent;
      const condition = { key: conditionKey(match), rest, withinMs: durationMs(within), per, of };
      this.#after.add(condition, rest);
      this.#ending.add(condition, of);
    }
    for (const [key, due] of kept.entries()) {
      if (this.#after.keys.has(conditionOf(key))) this.#set(key, Math.max(due, notBefore));
      else kept.remove(key);
    }
  }

  /** Whether there is anything to look at from time to time. */
  get isIdle(): boolean {
    return this.#due.size === 0;
  }

  /** What waits for this alert waits no more. */
  heard(alert: Alert): void {
    if (this.#due.size === 0 || !mayCarryRule(alert)) return;
    for (const { key, of, per } of this.#ending.of(alert.rule)) {
      if (matchAlert(of, alert) === true) this.#remove(keyFor(key, per, alert));
    }
  }

  /** Conditions that begin to wait with this alert, or wait already. @param now milliseconds since 1970 */
  take(alert: Alert, now: number): readonly string[] {
    if (!mayCarryRule(alert)) return [];
    return this.#after.of(alert.rule).flatMap(({ key, rest, withinMs, per }) => {
      if (matchAlert(rest, alert) !== true) return [];
      const place = keyFor(key, per, alert);
      if (this.#due.has(place)) return [key];
      if ((this.#waiting.get(key) ?? 0) >= mostAwaited) {
        this.#full(key);
        return [];
      }
      this.#set(place, now + withinMs);
      this.#kept.put(place, { due: now + withinMs, alert });
      return [key];
    });
  }

  /** Alerts after which nothing came in time, each once, with the condition that says so. */
  overAt(now: number): readonly { readonly alert: Alert; readonly condition: string }[] {
    const over = [...this.#due].filter(([, due]) => due <= now).map(([key]) => key);
    return over.flatMap((key) => {
      const awaited = this.#kept.get(key);
      return awaited ? [{ alert: awaited.alert, condition: conditionOf(key) }] : [];
    });
  }

  /** Somebody else answers for it now. */
  told(condition: string, alert: Alert): void {
    for (const { key, per } of this.#after.of(alert.rule)) if (key === condition) this.#remove(keyFor(key, per, alert));
  }

  #set(key: string, due: number): void {
    this.#due.set(key, due);
    const condition = conditionOf(key);
    this.#waiting.set(condition, (this.#waiting.get(condition) ?? 0) + 1);
  }

  #remove(key: string): void {
    if (!this.#due.delete(key)) return;
    const condition = conditionOf(key);
    this.#waiting.set(condition, (this.#waiting.get(condition) ?? 1) - 1);
    this.#kept.remove(key);
  }
}

function keyFor(condition: string, per: MatchPer, alert: Alert): string {
  return `${condition}\n${sha256Hex(keyOfSubject(per, alert)).slice(0, 32)}`;
}

function conditionOf(key: string): string {
  return key.split('\n', 1)[0] ?? '';
}

function inMemory(): AwaitedStore {
  const kept = new Map<string, AwaitedAlert>();
  return {
    entries: () => [],
    get: (key) => kept.get(key),
    put: (key, awaited) => void kept.set(key, awaited),
    remove: (key) => void kept.delete(key),
  };
}
