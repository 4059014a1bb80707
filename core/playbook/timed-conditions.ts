import type { Alert } from '../alert/alert.ts';
import { mayCarryRule } from '../alert/own-alerts.ts';
import { sha256Hex } from '../text/digest.ts';
import { keyOfSubject } from './answering.ts';
import { durationMs } from './duration.ts';
import type { Match, MatchPer } from './match.ts';
import { conditionKey } from './match-alert.ts';
import { MatchIndex } from './match-index.ts';
import type { AnyPlaybook } from './playbook.ts';

/** A part of a match that a single alert does not decide: it counts alerts, or waits for one. */
interface TimedCondition {
  readonly key: string;
  readonly withinMs: number;
  readonly per: MatchPer;
}

interface CountCondition extends TimedCondition {
  readonly times: number;
  readonly writtenEveryMs: number;
  /** By counting key, in order of the last update, the oldest first. */
  readonly tallies: Map<string, Tally>;
}

/** The match itself, then every match within it. */
function matchesIn(match: Match): readonly Match[] {
  const { any = [], all = [], not } = match;
  return [match, ...[...any, ...all, ...(not ? [not] : [])].flatMap(matchesIn)];
}

/** All matches of these playbooks, including nested ones. */
export function matchesOf(playbooks: readonly AnyPlaybook[]): readonly Match[] {
  return playbooks.flatMap(({ on }) => (on.match === 'unanswered' ? [] : matchesIn(on.match)));
}

/** Conditions, each once, indexed by the alerts that may meet them. */
class Conditions<Condition extends { readonly key: string }> {
  readonly #index = new MatchIndex<Condition>();
  readonly keys = new Set<string>();

  add(condition: Condition, match: Match): void {
    if (this.keys.has(condition.key)) return;
    this.keys.add(condition.key);
    this.#index.add(condition, match);
  }

  /** The conditions that this alert meets. */
  of(alert: Alert): readonly Condition[] {
    return mayCarryRule(alert) ? this.#index.of(alert) : [];
  }
}

/** When an alert was counted, in milliseconds since 1970, and the beginning of its id: an alert sent twice counts once. */
type Counted = readonly [at: number, id: string];

/** Storage in which counts outlive the process. Writes start in order and are not awaited. */
export interface CountStore {
  load(): readonly (readonly [key: string, { readonly value: readonly Counted[] }])[];
  put(key: string, entry: { readonly value: readonly Counted[]; readonly at: number }): void;
  remove(key: string): void;
}

/** Limits per condition, in case somebody sends alerts about ever more pods: its oldest subjects are forgotten, and none of another condition. */
const mostSubjects = 5_000;
const mostCounted = 100_000;
/**
 * A count that has reached its threshold is written once per hundredth of its period, clamped to 1 to 10 seconds, instead of with each alert of a storm: one
 * more alert changes nothing until then. After a crash it counts as reached for that much less time.
 */
const writtenWithin = 100;
const writtenEveryMs = { least: 1_000, most: 10_000 } as const;

/** The last alerts of a subject, up to the number asked for. A ring, because a map was rebuilt every few alerts of a storm. */
class Tally {
  writtenAt = 0;
  readonly #most: number;
  readonly #withinMs: number;
  /** Ids of the counted alerts in a ring, with the position of the oldest. */
  readonly #ids: string[] = [];
  readonly #times: number[] = [];
  #oldest = 0;
  #size = 0;

  constructor({ times, withinMs }: Pick<CountCondition, 'times' | 'withinMs'>) {
    this.#most = times;
    this.#withinMs = withinMs;
  }

  static of(condition: CountCondition, counted: readonly Counted[]): Tally {
    const tally = new Tally(condition);
    for (const [at, id] of counted) tally.count(id, at);
    return tally;
  }

  get size(): number {
    return this.#size;
  }

  /** Time of the newest alert; 0 if there is none. */
  get lastAt(): number {
    return this.#size === 0 ? 0 : (this.#times[this.#at(this.#size - 1)] ?? 0);
  }

  /** An alert with a known id is not counted again. @returns whether there were enough without it */
  count(id: string, now: number): boolean {
    this.#forgetOld(now);
    const wasReached = this.#size === this.#most;
    for (let place = 0; place < this.#size; place += 1) if (this.#ids[this.#at(place)] === id) return wasReached;
    // Alerts older than the last ones that are needed change nothing.
    if (wasReached) this.#forgetOldest();
    const at = this.#at(this.#size);
    this.#ids[at] = id;
    this.#times[at] = now;
    this.#size += 1;
    return wasReached;
  }

  list(): Counted[] {
    return Array.from({ length: this.#size }, (_, place) => {
      const at = this.#at(place);
      return [this.#times[at] ?? 0, this.#ids[at] ?? ''];
    });
  }

  #at(place: number): number {
    const at = this.#oldest + place;
    return at < this.#most ? at : at - this.#most;
  }

  #forgetOldest(): void {
    this.#oldest = this.#at(1);
    this.#size -= 1;
  }

  /** Drops alerts outside the period and, if the clock was set back, alerts from the future. */
  #forgetOld(now: number): void {
    const isYoung = (at: number): boolean => at <= now && now - at < this.#withinMs;
    if (this.lastAt > now) {
      const young = this.list().filter(([at]) => isYoung(at));
      this.#size = 0;
      for (const [at, id] of young) this.count(id, at);
    }
    while (this.#size > 0 && !isYoung(this.#times[this.#oldest] ?? 0)) this.#forgetOldest();
  }
}

/** A subject can be as long as the name that somebody gives a pod; its digest cannot. */
const longestSubject = 128;

function subjectOf(per: MatchPer, alert: Alert): string {
  const subject = keyOfSubject(per, alert);
  // A subject with a line break could be read as another one.
  return subject.length > longestSubject || subject.includes('\n') ? sha256Hex(subject).slice(0, 32) : subject;
}

/** Counts alerts over time for playbooks that ask how often they come. Memory is bounded for any input. */
export class AlertCounts {
  readonly #conditions = new Conditions<CountCondition>();
  readonly #byKey = new Map<string, CountCondition>();
  readonly #kept: CountStore | undefined;

  constructor({ playbooks, kept }: { readonly playbooks: readonly AnyPlaybook[]; readonly kept?: CountStore | undefined }) {
    this.#kept = kept;
    for (const match of matchesOf(playbooks)) {
      const { count, ...rest } = match;
      if (!count) continue;
      const { times, within, per = 'workload' } = count;
      const key = conditionKey(match);
      if (this.#byKey.has(key)) continue;
      const withinMs = durationMs(within);
      const { least, most } = writtenEveryMs;
      const condition = {
        ...{ key, withinMs, per, times },
        writtenEveryMs: Math.min(most, Math.max(least, withinMs / writtenWithin)),
        tallies: new Map<string, Tally>(),
      };
      this.#conditions.add(condition, rest);
      this.#byKey.set(key, condition);
    }
    for (const [key, { value }] of kept?.load() ?? []) {
      const [name = '', subject = ''] = key.split('\n');
      const condition = this.#byKey.get(name);
      if (condition) condition.tallies.set(subject, Tally.of(condition, value));
      // Counts of a playbook that is no longer enabled are removed.
      else kept?.remove(key);
    }
  }

  /**
   * How often such alerts have come, by condition, including this one, and whether each count has been reached; undefined if the alert is not counted.
   * @param now milliseconds since 1970
   */
  take(alert: Alert, now: number): { readonly counts: Readonly<Record<string, number>>; readonly reached: boolean } | undefined {
    const conditions = this.#conditions.of(alert);
    if (conditions.length === 0) return undefined;
    const counts: Record<string, number> = {};
    const subjects: Partial<Record<MatchPer, string>> = {};
    const id = alert.id.slice(0, 12);
    let reached = true;
    for (const condition of conditions) {
      const { key, per, times } = condition;
      subjects[per] ??= subjectOf(per, alert);
      const count = this.#count(condition, { subject: subjects[per], id, now });
      counts[key] = count;
      if (count < times) reached = false;
    }
    return { counts, reached };
  }

  /** For tests and metrics: how many subjects are remembered. */
  get size(): number {
    return [...this.#byKey.values()].reduce((sum, { tallies }) => sum + tallies.size, 0);
  }

  #count(
    condition: CountCondition,
    { subject, id, now }: { readonly subject: string; readonly id: string; readonly now: number },
  ): number {
    const tally = condition.tallies.get(subject) ?? new Tally(condition);
    const wasReached = tally.count(id, now);
    if (!wasReached || now - tally.writtenAt >= condition.writtenEveryMs) this.#write(condition, { subject, tally, now });
    return tally.size;
  }

  #write(
    { key, withinMs, times, tallies }: CountCondition,
    { subject, tally, now }: { readonly subject: string; readonly tally: Tally; readonly now: number },
  ): void {
    tally.writtenAt = now;
    this.#kept?.put(`${key}\n${subject}`, { value: tally.list(), at: now });
    // Deleted first: a map keeps insertion order, and the oldest key is the first to be forgotten.
    tallies.delete(subject);
    tallies.set(subject, tally);
    const most = Math.min(mostSubjects, Math.floor(mostCounted / times));
    for (const [oldest, { lastAt }] of tallies) {
      if (tallies.size <= most && now - lastAt < withinMs) break;
      tallies.delete(oldest);
      this.#kept?.remove(`${key}\n${oldest}`);
    }
  }
}

/** An alert that something must follow. */
export interface AwaitedAlert {
  /** Deadline in milliseconds since 1970. */
  readonly due: number;
  readonly alert: Alert;
}

/** Storage in which awaited alerts outlive the process. */
export interface AwaitedStore {
  entries(): Iterable<readonly [key: string, due: number]>;
  get(key: string): AwaitedAlert | undefined;
  put(key: string, awaited: AwaitedAlert): void;
  remove(key: string): void;
}

/** Maximum number of alerts awaited at once, per condition. */
const mostAwaited = 1_000;

/** Waits after alerts for what should follow them. Bounded for any input: an alert for which there is no room is reported, and not waited for. */
export class AwaitedAlerts {
  readonly #after = new Conditions<TimedCondition>();
  readonly #ending = new Conditions<TimedCondition>();
  readonly #due = new Map<string, number>();
  readonly #waiting = new Map<string, number>();
  readonly #kept: AwaitedStore;
  readonly #full: (condition: string) => void;

  /** @param options.notBefore milliseconds since 1970: kept alerts have at least until then, because what they wait for may only arrive now */
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
      const condition = { key: conditionKey(match), withinMs: durationMs(within), per };
      this.#after.add(condition, rest);
      this.#ending.add(condition, of);
    }
    for (const [key, due] of kept.entries()) {
      if (this.#after.keys.has(conditionOf(key))) this.#set(key, Math.max(due, notBefore));
      else kept.remove(key);
    }
  }

  /** Whether there is nothing to check periodically. */
  get isIdle(): boolean {
    return this.#due.size === 0;
  }

  /** Ends all waits for this alert. */
  heard(alert: Alert): void {
    if (this.#due.size === 0) return;
    for (const { key, per } of this.#ending.of(alert)) this.#remove(keyFor(key, per, alert));
  }

  /** Conditions that start waiting with this alert, or already wait. @param now milliseconds since 1970 */
  take(alert: Alert, now: number): readonly string[] {
    return this.#after.of(alert).flatMap(({ key, withinMs, per }) => {
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

  /** Alerts that nothing followed in time, each once, with the condition that says so. */
  overAt(now: number): readonly { readonly alert: Alert; readonly condition: string }[] {
    const over = [...this.#due].filter(([, due]) => due <= now).map(([key]) => key);
    return over.flatMap((key) => {
      const awaited = this.#kept.get(key);
      return awaited ? [{ alert: awaited.alert, condition: conditionOf(key) }] : [];
    });
  }

  /** Stops tracking the alert: another component is responsible for it now. */
  told(condition: string, alert: Alert): void {
    for (const { key, per } of this.#after.of(alert)) if (key === condition) this.#remove(keyFor(key, per, alert));
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
