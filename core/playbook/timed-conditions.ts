import type { Alert } from '../alert/alert.ts';
import { mayCarryRule } from '../alert/own-alerts.ts';
import { sha256Hex } from '../text/digest.ts';
import { keyOfSubject } from './answering.ts';
import { durationMs } from './duration.ts';
import type { Match, MatchPer } from './match.ts';
import { conditionKey } from './match-alert.ts';
import { MatchIndex } from './match-index.ts';
import type { AnyPlaybook } from './playbook.ts';

/** A part of a match that one alert does not decide: it counts alerts, or waits for one. */
interface TimedCondition {
  readonly key: string;
  readonly withinMs: number;
  readonly per: MatchPer;
}

interface CountCondition extends TimedCondition {
  readonly times: number;
  readonly writtenEveryMs: number;
  /** By what is counted together, as it was written last; the one that was longest ago is the first. */
  readonly tallies: Map<string, Tally>;
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

/** Conditions by the alerts that may meet them, each once. */
class Conditions<Condition extends { readonly key: string }> {
  readonly #index = new MatchIndex<Condition>();
  readonly keys = new Set<string>();

  add(condition: Condition, match: Match): void {
    if (this.keys.has(condition.key)) return;
    this.keys.add(condition.key);
    this.#index.add(condition, match);
  }

  /** Those that this alert meets. */
  of(alert: Alert): readonly Condition[] {
    return mayCarryRule(alert) ? this.#index.of(alert) : [];
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
/**
 * What has come often enough is written once in a hundredth of its time, in ten seconds at least, and not with each alert of a storm: that it came once
 * more changes nothing until then. After a crash it counts as often enough for so much less.
 */
const writtenWithin = 100;
const writtenEveryMs = { least: 1_000, most: 10_000 } as const;

/** The last so many alerts of a subject. A ring: a map of them was made anew every few alerts of a storm. */
class Tally {
  writtenAt = 0;
  readonly #most: number;
  readonly #withinMs: number;
  /** Of those that are counted, and where the oldest of them is. */
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

  /** The newest one; 0 where there is none. */
  get lastAt(): number {
    return this.#size === 0 ? 0 : (this.#times[this.#at(this.#size - 1)] ?? 0);
  }

  /** One that is known by its id counts once. @returns whether there were enough without it */
  count(id: string, now: number): boolean {
    this.#forgetOld(now);
    const wasReached = this.#size === this.#most;
    for (let place = 0; place < this.#size; place += 1) if (this.#ids[this.#at(place)] === id) return wasReached;
    // What came before the last so many changes nothing.
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

  /** What is no longer within the time, and, where the clock was put back, what has not been yet. */
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

/** As long as whoever names a pod wants it to be: its digest is not. */
const longestSubject = 128;

function subjectOf(per: MatchPer, alert: Alert): string {
  const subject = keyOfSubject(per, alert);
  // One with a line end could be read as another one's.
  return subject.length > longestSubject || subject.includes('\n') ? sha256Hex(subject).slice(0, 32) : subject;
}

/** Counts alerts over time for playbooks that ask how often they come. Bounded in memory, whatever comes. */
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
      // A playbook that is no longer enabled counts no more.
      else kept?.remove(key);
    }
  }

  /**
   * How often such alerts have come, by condition, this one included, and whether each is as often as is asked; undefined where it is not counted.
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

  /** For tests and figures: how many subjects are remembered. */
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
    // Taken out first: a map keeps the order in which keys came, and the oldest is the first to be forgotten.
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
  readonly #after = new Conditions<TimedCondition>();
  readonly #ending = new Conditions<TimedCondition>();
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
      const condition = { key: conditionKey(match), withinMs: durationMs(within), per };
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
    if (this.#due.size === 0) return;
    for (const { key, per } of this.#ending.of(alert)) this.#remove(keyFor(key, per, alert));
  }

  /** Conditions that begin to wait with this alert, or wait already. @param now milliseconds since 1970 */
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
