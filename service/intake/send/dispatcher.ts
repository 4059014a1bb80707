import { codeOf, FirebreakError } from '../../../core/errors.ts';
import type { Tracing } from '../../process/telemetry/tracing.ts';
import type { IntakeLog } from '../log.ts';
import type { PlacedEntry, SpoolEntry } from '../spool/entry.ts';
import type { Spool, Written } from '../spool/spool.ts';
import { tracedAhead, tracedDelivery } from './alert-trace.ts';
import { batchOfOne, kindOf, nextBatch, type SpooledBatch } from './batch.ts';
import { Delivery, type DeliveryOptions } from './delivery.ts';
import { type IncidentLine, worstFirst } from './incident-line.ts';
import { IncidentLines } from './incident-lines.ts';

const gatheredAtMost = 50_000;
const usualSlowestRetryMs = 5_000;
const peekedAtStart = 50;

interface DispatcherOptions extends DeliveryOptions {
  readonly spool: Spool;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** Longest pause before a batch is sent again. */
  readonly slowestRetryMs?: number | undefined;
}

/**
 * Sends the spool's alerts to Temporal: the first of an incident immediately, in parallel with its write to disk; repetitions are counted in windows that grow
 * with the storm. One call per incident at a time, in order. Failed calls are sent again with the same ids.
 */
export class Dispatcher {
  readonly #spool: Spool;
  readonly #log: IntakeLog;
  readonly #delivery: Delivery;
  readonly #tracing: Tracing | undefined;
  readonly #slowestRetryMs: number;
  readonly #lines = new IncidentLines();
  readonly #failing = new Set<IncidentLine>();
  readonly #working = new Set<Promise<void>>();
  #stopping = false;
  #stopped = false;

  constructor({ spool, log, tracing, slowestRetryMs = usualSlowestRetryMs, ...delivery }: DispatcherOptions) {
    this.#spool = spool;
    this.#log = log;
    this.#tracing = tracing;
    this.#slowestRetryMs = slowestRetryMs;
    this.#delivery = new Delivery({ ...delivery, log });
  }

  /** Sends what an earlier process left behind, the most severe first. */
  drain(): void {
    const lines = [...this.#spool.incidents()].map((incident) => this.#lines.of(incident));
    for (const line of lines) {
      const first = this.#peek(line);
      line.wait(Date.parse(first[0]?.entry.receivedAt ?? new Date().toISOString()));
      // Contains without waiting for the incident's turn, because Temporal may be unavailable.
      const entries = first.map(({ entry }) => entry);
      tracedAhead(this.#tracing, line, () => this.#delivery.containFirst(entries, Promise.resolve()));
    }
    for (const line of lines.sort(worstFirst)) this.#flushSoon(line);
  }

  /**
   * Accepts an alert. Resolves as soon as it is durable: on disk, or in Temporal.
   *
   * @param raw returns the received bytes, sealed; called only if they are stored
   * @throws FB_ERR_UNAVAILABLE if neither stored it
   */
  async accept(incident: string, entry: SpoolEntry, raw: () => Uint8Array): Promise<void> {
    const line = this.#lines.of(incident);
    const isNew = line.meets(kindOf(entry.alert));
    const again = this.#spool.sentBeforeWrite.has(entry.alert.id);
    const { severity } = entry.alert;
    // An alert that would have to wait for its turn waits on disk, not in memory.
    if (isNew && line.isIdle && !this.#stopping && !again && this.#delivery.isFree(severity))
      return this.#sendBeforeWrite(line, { ...entry, raw: raw(), alone: true });
    line.writing += 1;
    line.wait();
    line.gathered += 1;
    try {
      // A repetition within a storm is only counted.
      const kept = isNew || !line.isStorm ? { ...entry, raw: raw() } : entry;
      const { durable, stored } = this.#store(line, again ? { ...kept, alone: true } : kept, { isNew });
      if (isNew) tracedAhead(this.#tracing, line, () => this.#delivery.containFirst([entry], durable));
      line.holds(severity, await stored);
    } finally {
      line.writing -= 1;
    }
    if (isNew || line.gathered >= gatheredAtMost) this.#flushSoon(line);
    else this.#flushLater(line, this.#delivery.windowOf(line));
  }

  /** Checks an incident that received alerts by another route. */
  wake(incident: string): void {
    const line = this.#lines.of(incident);
    line.wait();
    this.#peek(line);
    this.#flushSoon(line);
  }

  /** Number of incidents with waiting alerts, and an upper bound for how long the oldest has waited, in seconds. */
  waiting(): ReturnType<IncidentLines['waiting']> {
    return this.#lines.waiting();
  }

  /** Sends what waits, for at most `withinMs`. The rest stays in the spool. */
  async stop(withinMs: number): Promise<void> {
    this.#stopping = true;
    for (const line of this.#lines) if (line.backlog && !line.busy) this.#flushSoon(line);
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((done) => {
      timer = setTimeout(done, withinMs);
    });
    await Promise.race([over, this.#settled()]);
    this.#stopped = true;
    clearTimeout(timer);
    this.#lines.clear();
  }

  async #settled(): Promise<void> {
    while (this.#working.size > 0) await Promise.allSettled([...this.#working]);
  }

  async #sendBeforeWrite(line: IncidentLine, entry: SpoolEntry): Promise<void> {
    line.busy = true;
    this.#spool.sentBeforeWrite.note(entry.alert.id);
    const { durable, stored } = this.#store(line, entry, { isNew: true });
    const spooled = batchOfOne({ place: 0, entry });
    const send = () => this.#delivery.sendBeforeWrite(line, { spooled, entry, durable });
    const sent = tracedDelivery(this.#tracing, { line, spooled, written: stored }, send).then((outcome) => {
      if (outcome !== 'sent') throw new FirebreakError('FB_ERR_UNAVAILABLE', 'Temporal has not accepted the alert yet');
    });
    this.#track(this.#afterSendBeforeWrite(line, spooled, stored, sent));
    await Promise.any([stored, sent]).catch(() => {
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'neither the spool nor Temporal accepted the alert');
    });
  }

  async #afterSendBeforeWrite(
    line: IncidentLine,
    spooled: SpooledBatch,
    stored: Promise<number>,
    sent: Promise<void>,
  ): Promise<void> {
    const [place, delivery] = await Promise.allSettled([stored, sent]);
    try {
      if (delivery.status === 'rejected') {
        if (place.status === 'fulfilled') line.holds(spooled.severity, place.value);
        return;
      }
      line.delivered(spooled.kinds);
      if (place.status === 'fulfilled') await this.#remove(line, place.value);
    } finally {
      this.#release(line, { failed: delivery.status === 'rejected' });
    }
  }

  /** What may be contained at once is durable before it is stored; of everything else, `durable` is `stored`. */
  #store(line: IncidentLine, entry: SpoolEntry, { isNew }: { readonly isNew: boolean }): Written {
    const began = performance.now();
    const isAhead = isNew && entry.alert.severity === 'critical';
    const written = isAhead ? this.#spool.addAhead(line.id, entry) : { stored: this.#spool.add(line.id, entry) };
    const stored = this.#stored(line, entry.alert.id, { began, adding: written.stored });
    return { durable: stored, ...written, stored };
  }

  /** Keeps only the id: otherwise all alerts of a storm would stay in memory for as long as the disk takes. */
  async #stored(
    line: IncidentLine,
    id: string,
    { began, adding }: { readonly began: number; readonly adding: Promise<number> },
  ): Promise<number> {
    try {
      const place = await adding;
      this.#delivery.accepted(performance.now() - began);
      this.#spool.sentBeforeWrite.stored(id);
      return place;
    } catch {
      this.#log.error({ incident: line.id }, 'cannot write to the spool');
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'cannot write to the spool');
    }
  }

  #flushSoon(line: IncidentLine): void {
    line.urgent = true;
    if (line.busy) this.#delivery.raise(line.id, line.severity);
    if (line.busy || (this.#failing.has(line) && !this.#stopping)) return;
    clearTimeout(line.timer);
    line.timer = undefined;
    line.busy = true;
    this.#track(this.#flush(line));
  }

  #flushLater(line: IncidentLine, delayMs: number): void {
    if (line.busy || line.timer !== undefined) return;
    line.timer = setTimeout(() => {
      line.timer = undefined;
      this.#failing.delete(line);
      this.#flushSoon(line);
    }, delayMs);
    line.timer.unref();
  }

  async #flush(line: IncidentLine): Promise<void> {
    let failed = false;
    try {
      do {
        line.urgent = false;
        line.gathered = 0;
        // The batch is built when its turn has come: while it waits, only the lines are in memory.
        failed = !(await this.#delivery.inTurn(line.id, line.severity, () => this.#flushOnce(line)));
      } while (line.urgent && !failed);
    } catch (error) {
      failed = true;
      const code = codeOf(error);
      if (!this.#stopped) this.#log.error({ incident: line.id, code }, 'cannot read a batch from the spool');
    }
    this.#release(line, { failed });
  }

  /** Sends one batch. Returns false if it has to be sent again. */
  async #flushOnce(line: IncidentLine): Promise<boolean> {
    const fixed = this.#spool.sending(line.id);
    if (fixed?.sent === true) {
      await this.#remove(line, fixed.upTo);
      line.urgent = true;
      return true;
    }
    // A batch that a run may already have accepted goes to that run again.
    if (fixed !== undefined && !line.isOpen) line.opened(undefined);
    const spooled = await nextBatch({ spool: this.#spool, incident: line.id, known: line.known, fixed });
    if (spooled === undefined) return true;
    if (fixed === undefined && !spooled.alone) {
      await this.#spool.markSending(line.id, { upTo: spooled.upTo, samples: spooled.samples });
    }
    const outcome = await tracedDelivery(this.#tracing, { line, spooled }, () => this.#delivery.fromSpool(line, spooled));
    if (outcome === 'again') return false;
    if (typeof outcome === 'object') {
      this.#log.error(
        { incident: line.id, alerts: spooled.size, detail: outcome.refused },
        'Temporal permanently refuses some alerts; they are set aside',
      );
      await this.#remove(line, spooled.upTo, outcome.refused);
      line.urgent = true;
      return true;
    }
    if (outcome === 'ended') {
      if (!spooled.alone) await this.#spool.unmarkSending(line.id);
      line.urgent = true;
      return true;
    }
    line.delivered(spooled.kinds);
    await this.#remove(line, spooled.upTo);
    // More than one batch was waiting, or something new is behind it.
    const [next] = this.#spool.entriesOf(line.id, { limit: 1 });
    if (next !== undefined && !line.known.has(kindOf(next.entry.alert))) line.urgent = true;
    return true;
  }

  async #remove(line: IncidentLine, upTo: number, refused?: string): Promise<void> {
    await this.#spool.remove(line.id, { upTo, ...(refused !== undefined && { refused }) });
    line.left(upTo);
  }

  /** Looks at the severity of what waits, or of the first part of it if there is a lot. */
  #peek(line: IncidentLine): readonly PlacedEntry[] {
    const first = this.#spool.entriesOf(line.id, { limit: peekedAtStart });
    for (const { place, entry } of first) line.holds(entry.alert.severity, place);
    return first;
  }

  /** Decides after a call whether there is more to do now, later, or not at all. */
  #release(line: IncidentLine, { failed }: { readonly failed: boolean }): void {
    line.busy = false;
    // The rest waits in the spool for the next process.
    if (this.#stopped) return;
    if (line.writing > 0 || this.#spool.hasEntries(line.id)) line.wait();
    else line.nothingWaits();
    if (failed) {
      this.#failing.add(line);
      const delay = Math.min(100 * 2 ** Math.min(line.failures, 8), this.#slowestRetryMs);
      if (line.backlog && !this.#stopping) this.#flushLater(line, delay * (0.5 + Math.random() / 2));
      return;
    }
    this.#failing.delete(line);
    this.#wakeFailing();
    if (line.backlog && line.urgent) this.#flushSoon(line);
    else if (line.backlog && !this.#stopping) this.#flushLater(line, this.#delivery.windowOf(line));
    else if (line.backlog) this.#flushSoon(line);
  }

  /** Temporal answers again: incidents that were backing off need not wait longer. */
  #wakeFailing(): void {
    const waiting = [...this.#failing].filter(({ failures }) => failures > 2);
    for (const line of waiting.sort(worstFirst)) {
      this.#failing.delete(line);
      line.failures = 1;
      this.#flushSoon(line);
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        const code = codeOf(error);
        if (!this.#stopped) this.#log.error({ code }, 'cannot read from the spool');
      })
      .finally(() => this.#working.delete(tracked));
    this.#working.add(tracked);
  }
}
