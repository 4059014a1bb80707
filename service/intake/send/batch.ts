import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Alert } from '../../../core/alert/alert.ts';
import { type Severity, worse } from '../../../core/alert/severity.ts';
import type { AlertBatch, AlertCount, Subject } from '../../../core/incident/incident.ts';
import type { PlacedEntry } from '../spool/entry.ts';
import type { Sending, Spool } from '../spool/spool.ts';

/** Alerts of one incident that are sent to Temporal together. */
export interface SpooledBatch {
  readonly batch: AlertBatch;
  readonly subject: Subject;
  /** The batch covers everything of the incident up to this place. */
  readonly upTo: number;
  readonly samples: readonly number[];
  readonly alone: boolean;
  readonly severity: Severity;
  /** Kinds of the batch's samples. */
  readonly kinds: readonly string[];
  readonly size: number;
  /** When the oldest alert was accepted, ISO 8601. */
  readonly since: string;
}

const mostSamples = 20;
/** Number of repetitions that are still sent in full, so that the latest details are visible. */
const mostRepeated = 3;
/** A Temporal payload is limited to 2 MB. */
const mostSampleBytes = 600_000;
const mostRepeatedBytes = 32_000;
const mostCounts = 2_000;
const mostEntries = 50_000;
/** Entries read before the event loop gets a turn: a storm must not delay a new alert. */
const readAtOnce = 250;

/**
 * Returns what makes an alert new to an incident: another rule, pod (by uid if known) or severity; a call for other playbooks than earlier alerts, by its
 * process, its time, or how often it came; its novelty; or that something else is to be done about it.
 */
export function kindOf({ rule, severity, pod, calls = [], facts, assessment }: Alert): string {
  const where = pod ? (pod.uid ?? `${pod.namespace}/${pod.name}`) : '';
  return `${rule}\n${severity}\n${where}\n${calls.join(' ')}${facts?.novelty?.state === 'novel' ? '\nnovel' : ''}\n${assessment?.response ?? ''}`;
}

/** Returns the batch of one alert that was just accepted. */
export function batchOfOne({ place, entry }: PlacedEntry): SpooledBatch {
  const batch = new BatchBuilder();
  batch.take({ place, entry }, 'new');
  return batch.build(true);
}

/**
 * Builds the next batch of an incident from the spool alone, so that the same batch results after a crash: everything up to a bound is counted, and what is new
 * to the incident is included in full.
 */
export async function nextBatch(call: {
  readonly spool: Spool;
  readonly incident: string;
  readonly known: ReadonlySet<string>;
  readonly fixed: Sending | undefined;
}): Promise<SpooledBatch | undefined> {
  const { spool, incident, known, fixed } = call;
  const batch = new BatchBuilder();
  let after = 0;
  for (;;) {
    const found = spool.entriesOf(incident, { after, limit: readAtOnce });
    for (const placed of found) {
      if (fixed !== undefined ? placed.place > fixed.upTo : batch.isFullFor(placed, known)) return batch.build(false);
      if (placed.entry.alone === true) return batch.isEmpty ? batchOfOne(placed) : batch.build(false);
      batch.take(placed, fixed !== undefined ? fixed.samples.includes(placed.place) && 'new' : batch.worth(placed, known));
    }
    if (found.length < readAtOnce) return batch.isEmpty ? undefined : batch.build(false);
    after = found.at(-1)?.place ?? after;
    await setImmediate();
  }
}

class BatchBuilder {
  readonly #ids: string[] = [];
  readonly #alerts: Alert[] = [];
  readonly #samples: number[] = [];
  readonly #counts = new Map<string, AlertCount>();
  readonly #kinds = new Set<string>();
  readonly #actors = new Set<string>();
  readonly #requesters = new Set<string>();
  #subject: Subject | undefined;
  #severity: Severity = 'unknown';
  #upTo = 0;
  #since = '';
  #size = 0;
  #repeated = 0;
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  isFullFor({ entry }: PlacedEntry, known: ReadonlySet<string>): boolean {
    if (this.#size >= mostEntries || this.#counts.size >= mostCounts) return true;
    const kind = kindOf(entry.alert);
    if (known.has(kind) || this.#kinds.has(kind)) return false;
    return this.#alerts.length >= mostSamples || this.#bytes >= mostSampleBytes;
  }

  worth({ entry }: PlacedEntry, known: ReadonlySet<string>): 'new' | 'repeated' | false {
    const kind = kindOf(entry.alert);
    if (!known.has(kind) && !this.#kinds.has(kind)) return 'new';
    const room = this.#repeated < mostRepeated && this.#bytes < mostRepeatedBytes && this.#alerts.length < mostSamples;
    return room && 'repeated';
  }

  take({ place, entry }: PlacedEntry, whole: 'new' | 'repeated' | false): void {
    const { alert, receivedAt, subject } = entry;
    this.#ids.push(alert.id);
    this.#size += 1;
    this.#since ||= receivedAt;
    this.#upTo = place;
    this.#subject ??= subject;
    this.#severity = worse(this.#severity, alert.severity);
    this.#count(alert, receivedAt);
    for (const person of alert.actors ?? []) this.#actors.add(person);
    if (alert.requester !== undefined) this.#requesters.add(alert.requester);
    if (whole === false) return;
    if (whole === 'repeated') this.#repeated += 1;
    this.#kinds.add(kindOf(alert));
    this.#bytes += JSON.stringify(alert).length;
    this.#samples.push(place);
    if (whole === 'new') this.#alerts.splice(this.#alerts.length - this.#repeated, 0, alert);
    else this.#alerts.push(alert);
  }

  #count({ rule, severity, pod }: Alert, at: string): void {
    const name = pod && `${pod.namespace}/${pod.name}`;
    const key = `${rule}\n${severity}\n${name ?? ''}`;
    const before = this.#counts.get(key);
    this.#counts.set(key, {
      rule,
      severity,
      ...(name !== undefined && { pod: name }),
      count: (before?.count ?? 0) + 1,
      firstSeen: before?.firstSeen ?? at,
      lastSeen: at,
    });
  }

  build(alone: boolean): SpooledBatch {
    const id = createHash('sha256')
      .update(`${this.#ids.join('\n')}\n`)
      .digest('hex')
      .slice(0, 32);
    return {
      batch: {
        id,
        alerts: this.#alerts,
        counts: [...this.#counts.values()],
        ...(this.#actors.size > 0 && { actors: [...this.#actors].sort() }),
        ...(this.#requesters.size > 0 && { requesters: [...this.#requesters].sort() }),
      },
      subject: this.#subject ?? { kind: 'cluster', cluster: '' },
      upTo: this.#upTo,
      samples: this.#samples,
      alone,
      severity: this.#severity,
      kinds: [...this.#kinds],
      size: this.#size,
      since: this.#since,
    };
  }
}
