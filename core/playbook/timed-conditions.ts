import type { Alert } from '../alert/alert.ts';
import { mayCarryRule } from '../alert/own-alerts.ts';
import { sha256Hex } from '../text/digest.ts';
import { keyOfSubject } from './answering.ts';
import { durationMs } from './duration.ts';
import type { Match, MatchPer } from './match.ts';
import { conditionKey, matchAlert } from './match-alert.ts';
import { MatchIndex } from './match-index.ts';
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
  /** By what is counted together, as it was written last; the one that was longest ago is the first. */
  readonly tallies: Map<string, Tally>;
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

/** Conditions by the alerts that may meet them, each once. */
class Conditions<Condition extends { readonly key: string }> {
  readonly #index = new MatchIndex<Condition>();
  readonly keys = new Set<string>();

  add(condition: Condition, match: Match): void {
    if (this.keys.has(condition.key)) return;
    this.keys.add(condition.key);
    this.#index.add(condition, match);
  }

  /** Those that this alert may meet. */
  of(alert: Alert): readonly Condition[] {
    return this.#index.of(alert);
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
  /** When each was counted, by how its id begins; the oldest is the first. */
  readonly counted: Map<string, number>;
  lastAt: number;
  writtenAt: number;
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
      const condition = { key, rest, withinMs: durationMs(within), per, times, tallies: new Map<string, Tally>() };
      this.#conditions.add(condition, rest);
      this.#byKey.set(key, condition);
    }
    for (const [key, { value }] of kept?.load() ?? []) {
      const [name = '', subject = ''] = key.split('\n');
      const condition = this.#byKey.get(name);
      const counted = new Map(value.map(([at, id]) => [id, at]));
      // A playbook that is no longer enabled counts no more.
      if (!condition) kept?.remove(key);
      else condition.tallies.set(subject, { counted, lastAt: value.at(-1)?.[0] ?? 0, writtenAt: 0 });
    }
  }

  /** How often such alerts have come, by condition, this one included; undefined where it is not counted. @param now milliseconds since 1970 */
  take(alert: Alert, now: number): Readonly<Record<string, number>> | undefined {
    let counts: Record<string, number> | undefined;
    const subjects: Partial<Record<MatchPer, string>> = {};
    for (const condition of this.#conditions.of(alert)) {
      if (!mayCarryRule(alert) || matchAlert(condition.rest, alert) !== true) continue;
      counts ??= {};
      const { per } = condition;
      subjects[per] ??= subjectOf(per, alert);
      counts[condition.key] = this.#count(condition, { subject: subjects[per], id: alert.id.slice(0, 12), now });
    }
    return counts;
  }

  /** Whether each of these has come so often as is asked. */
  areReached(counts: Readonly<Record<string, number>>): boolean {
    for (const key in counts) if ((counts[key] ?? 0) < (this.#byKey.get(key)?.times ?? 0)) return false;
    return true;
  }

  /** For tests and figures: how many subjects are remembered. */
  get size(): number {
    return [...this.#byKey.values()].reduce((sum, { tallies }) => sum + tallies.size, 0);
  }

  #count(
    condition: CountCondition,
    { subject, id, now }: { readonly subject: string; readonly id: string; readonly now: number },
  ): number {
    const { withinMs, times, tallies } = condition;
    const tally = tallies.get(subject) ?? { counted: new Map<string, number>(), lastAt: 0, writtenAt: 0 };
    const { counted } = tally;
    forgetOld(tally, { now, withinMs });
    const reachedBefore = counted.size >= times;
    if (!counted.has(id)) {
      // What came before the last so many changes nothing.
      if (reachedBefore) forgetOldest(counted);
      counted.set(id, now);
      tally.lastAt = now;
    }
    if (!reachedBefore || now - tally.writtenAt >= writtenEveryMs) this.#write(condition, { subject, tally, now });
    return counted.size;
  }

  #write(
    { key, withinMs, times, tallies }: CountCondition,
    { subject, tally, now }: { readonly subject: string; readonly tally: Tally; readonly now: number },
  ): void {
    tally.writtenAt = now;
    this.#kept?.put(`${key}\n${subject}`, { value: [...tally.counted].map(([id, at]) => [at, id] as const), at: now });
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

/** What is no longer within the time, and, where the clock was put back, what has not been yet. */
function forgetOld({ counted, lastAt }: Tally, { now, withinMs }: { readonly now: number; readonly withinMs: number }): void {
  for (const [id, at] of counted) {
    // The rest of them is younger.
    if (lastAt <= now && now - at < withinMs) break;
    if (at > now || now - at >= withinMs) counted.delete(id);
  }
}

function forgetOldest(counted: Map<string, unknown>): void {
  for (const id of counted.keys()) {
    counted.delete(id);
    return;
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
    for (const { key, of, per } of this.#ending.of(alert)) {
      if (matchAlert(of, alert) === true) this.#remove(keyFor(key, per, alert));
    }
  }

  /** Conditions that begin to wait with this alert, or wait already. @param now milliseconds since 1970 */
  take(alert: Alert, now: number): readonly string[] {
    if (!mayCarryRule(alert)) return [];
    return this.#after.of(alert).flatMap(({ key, rest, withinMs, per }) => {
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
