import { LRUCache } from 'lru-cache';
import { ownSensor } from '../../../core/alert/own-alerts.ts';

/** What is known of one sensor: its alerts, and what it reported about itself. */
export interface SensorReport {
  readonly sensor: string;
  readonly host?: string;
  readonly alerts: number;
  readonly messages: number;
  /** Number of messages about events that it dropped. */
  readonly drops: number;
  /** When it last reported dropped events. */
  readonly droppedAt?: string;
  /** ISO 8601, UTC; by the intake's clock. */
  readonly lastSeenAt: string;
  readonly lastMessage?: { readonly at: string; readonly text: string };
  /** What its own settings leave out of its events, such as `the content of configmaps, at level Metadata`. */
  readonly lacks?: readonly string[];
  /** Rules that arrived and that no enabled playbook is made for, the latest last. */
  readonly unanswered?: readonly string[];
}

/** A message of a sensor about itself. */
export interface SensorWord {
  readonly sensor: string;
  readonly host?: string;
  readonly text: string;
}

interface Known {
  alerts: number;
  messages: number;
  drops: number;
  droppedAt?: number;
  lastSeenAt: number;
  last?: { readonly at: number; readonly text: string };
  readonly lacks: Set<string>;
  readonly unanswered: Set<string>;
}

/** One per node and kind of sensor; invented names push out the sensors that have been silent longest. */
const mostSensors = 5_000;
const mostText = 1_000;
const mostLacks = 32;
const mostUnanswered = 50;
const longestRule = 120;

/** Counts in memory what sensors sent and reported about themselves, per sensor and host. */
export class SensorHealth {
  readonly #known = new LRUCache<string, Known>({ max: mostSensors });
  readonly #alertAt = new LRUCache<string, number>({ max: mostSensors });
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  alert(sensor: string, host: string | undefined): void {
    const known = this.#of(sensor, host);
    known.alerts += 1;
    // Firebreak's own alert about a silent sensor is not a sign of life of its node.
    if (host !== undefined && sensor !== ownSensor) this.#alertAt.set(host, known.lastSeenAt);
  }

  /** Returns true if the message reports dropped events, that is, attacks that may have gone unseen. */
  message({ sensor, host, text }: SensorWord): boolean {
    const known = this.#of(sensor, host);
    known.messages += 1;
    const ofDrops = /\bdrop/i.test(text);
    if (ofDrops) {
      known.drops += 1;
      known.droppedAt = known.lastSeenAt;
    }
    known.last = { at: known.lastSeenAt, text: text.slice(0, mostText) };
    return ofDrops;
  }

  /** The sensor does not report everything that rules look at: those rules cannot match, and otherwise nobody would know. */
  lacks(sensor: string, what: string): void {
    const { lacks } = this.#of(sensor, undefined);
    if (lacks.size < mostLacks) lacks.add(what);
  }

  /** No enabled playbook is made for this rule. Any sensor may name any rule: the latest are kept, and only shown. */
  unanswered(sensor: string, rule: string): void {
    const { unanswered } = this.#of(sensor, undefined);
    const name = rule.slice(0, longestRule);
    unanswered.delete(name);
    unanswered.add(name);
    const [oldest] = unanswered;
    if (unanswered.size > mostUnanswered && oldest !== undefined) unanswered.delete(oldest);
  }

  /** When it was last heard, in milliseconds since 1970. */
  seenAt(sensor: string, host: string): number | undefined {
    return this.#known.peek(`${sensor}\n${host}`)?.lastSeenAt;
  }

  /** When any sensor last had an alert of this node. */
  lastAlertOf(node: string): number | undefined {
    return this.#alertAt.get(node);
  }

  /** Longest silent first. */
  report(): readonly SensorReport[] {
    return [...this.#known.entries()]
      .sort(([, a], [, b]) => a.lastSeenAt - b.lastSeenAt)
      .map(([key, { alerts, messages, drops, droppedAt, lastSeenAt, last, lacks, unanswered }]) => {
        const [sensor = '', host] = key.split('\n');
        return {
          sensor,
          ...(host !== undefined && { host }),
          alerts,
          messages,
          drops,
          ...(droppedAt !== undefined && { droppedAt: new Date(droppedAt).toISOString() }),
          lastSeenAt: new Date(lastSeenAt).toISOString(),
          ...(last && { lastMessage: { at: new Date(last.at).toISOString(), text: last.text } }),
          ...(lacks.size > 0 && { lacks: [...lacks] }),
          ...(unanswered.size > 0 && { unanswered: [...unanswered] }),
        };
      });
  }

  #of(sensor: string, host: string | undefined): Known {
    const key = host === undefined ? sensor : `${sensor}\n${host}`;
    const known = this.#known.get(key) ?? {
      alerts: 0,
      messages: 0,
      drops: 0,
      lastSeenAt: 0,
      lacks: new Set(),
      unanswered: new Set(),
    };
    known.lastSeenAt = this.#now();
    this.#known.set(key, known);
    return known;
  }
}
