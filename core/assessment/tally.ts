import type { Alert } from '../alert/alert.ts';
import { assess } from './assessment.ts';
import { Execs } from './execs.ts';
import { type Profile, profiles, type Response } from './response.ts';
import type { PodFacts, PodStories } from './stories.ts';

/** Something new that is done about a pod or another subject. What adds nothing is no decision. */
export interface PodDecision {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly namespace: string | null;
  readonly pod: string | null;
  readonly response: Response;
  readonly pages: boolean;
  readonly profile: Profile;
  readonly rule: string;
  readonly reasons: readonly string[];
}

/** A question is open for so long: what it covers is not asked again. */
const openMs = 8 * 3_600_000;
/** What has been filed is not filed again within a day. */
const filedMs = 24 * 3_600_000;
const mostKeys = 100_000;

interface Book {
  readonly contained: Set<string>;
  readonly asked: Map<string, number>;
  readonly filed: Map<string, number>;
}

/** What each profile would do about alerts in their order: who is cut off once, asked once, filed once. */
export class Tally {
  readonly #stories: PodStories;
  readonly #books: readonly (readonly [Profile, Book])[];
  readonly #execs = new Execs();

  constructor(stories: PodStories, wanted: readonly Profile[] = profiles) {
    this.#stories = stories;
    this.#books = wanted.map((profile) => [profile, { contained: new Set(), asked: new Map(), filed: new Map() }]);
  }

  /** @param nowMs when it happened: milliseconds since 1970 */
  take(alert: Alert, nowMs: number, facts: PodFacts = {}): readonly PodDecision[] {
    this.#execs.note(alert);
    const pod = alert.pod && `${alert.pod.namespace}/${alert.pod.name}`;
    const execBy = this.#execs.in(alert.pod);
    const story = this.#stories.hear(alert, { nowMs, facts: { ...(execBy && { execBy }), ...facts } });
    return this.#books.flatMap(([profile, book]): readonly PodDecision[] => {
      const contained = pod !== undefined && book.contained.has(pod);
      if (contained) return [];
      const policy = { mode: 'contain', profile, onSilence: 'nothing', scope: 'every pod' } as const;
      const { response, pages, reasons } = assess(story, policy);
      const told = { profile, rule: alert.rule, at: new Date(nowMs).toISOString() };
      const place = { namespace: alert.pod?.namespace ?? null, pod: alert.pod?.name ?? null };
      if (response === 'contain') {
        if (pod !== undefined) add(book.contained, pod);
        return [{ ...told, ...place, response, pages: false, reasons }];
      }
      const group = `${alert.rule}\n${alert.container?.image ?? alert.workload?.name ?? ''}`;
      if (response === 'ask') {
        const subject = pod ?? `node ${alert.node ?? ''}`;
        const isOfOpen = [subject, group].some((key) => isWithin(book.asked.get(key), nowMs, openMs));
        if (!isWithin(book.asked.get(subject), nowMs, openMs)) set(book.asked, subject, nowMs);
        if (!isWithin(book.asked.get(group), nowMs, openMs)) set(book.asked, group, nowMs);
        if (!isOfOpen) return [{ ...told, ...place, response, pages, reasons }];
      }
      const asked = response === 'ask';
      const key = asked ? `${pod ?? ''}\n${group}` : `${response}\n${group}\n${alert.pod?.namespace ?? ''}`;
      if (isWithin(book.filed.get(key), nowMs, filedMs)) return [];
      set(book.filed, key, nowMs);
      const joins = asked ? ['it joins the question that is open about this pod, or about this rule and image'] : [];
      return [{ ...told, ...place, response: asked ? 'file' : response, pages: false, reasons: [...reasons, ...joins] }];
    });
  }
}

function isWithin(at: number | undefined, nowMs: number, forMs: number): boolean {
  return at !== undefined && nowMs - at < forMs;
}

/** Bounded: a log with ever new names must not fill the memory. */
function set<Value>(map: Map<string, Value>, key: string, value: Value): void {
  if (map.size >= mostKeys && !map.has(key))
    for (const oldest of map.keys()) {
      map.delete(oldest);
      break;
    }
  map.set(key, value);
}

function add(keys: Set<string>, key: string): void {
  if (keys.size >= mostKeys)
    for (const oldest of keys) {
      keys.delete(oldest);
      break;
    }
  keys.add(key);
}
