import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises';
import { originProblems } from '../../core/audit/audit-check.ts';
import type { StoredRecord } from '../../core/audit/audit-store.ts';
import { SignaturesAhead } from '../../core/audit/signatures-ahead.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { cloudEventOf } from '../../core/streams/cloud-event.ts';
import { ocsfEventsOf } from '../../core/streams/ocsf.ts';
import type { EventMaker, Receiver, StreamEvent, StreamFormat, StreamItem, StreamOutcome } from '../../core/streams/stream.ts';
import type { StreamFeed, StreamGap } from '../../core/streams/stream-feed.ts';

/** What a runner reports for metrics and the log. */
export interface StreamObserver {
  delivered(events: number): void;
  /** `refused`: the receiver rejects the delivery as it is. */
  failed(kind: 'later' | 'refused', reason: string): void;
  /** Nobody known has signed the record: its text was left out. */
  unproven(row: { readonly chain: string; readonly place: number; readonly problem: string }): void;
  /** The database did not answer, or something else failed on our side. */
  broken(error: unknown): void;
}

export interface StreamRunnerOptions {
  readonly name: string;
  readonly feed: StreamFeed;
  readonly from: 'beginning' | 'now';
  readonly format: StreamFormat;
  readonly maker: EventMaker;
  readonly trust: Trust;
  readonly receiver: Receiver;
  /** Unique to this desk. */
  readonly holder: string;
  readonly observer: StreamObserver;
  /** Maximum number of records in one delivery. */
  readonly batch: number;
  readonly pace?: Partial<StreamPace>;
}

/** All in milliseconds. */
interface StreamPace {
  /** Between two checks for new records. */
  readonly lookMs: number;
  /** A desk that has not reported for this long stops sending: another one may take over. */
  readonly heldMs: number;
  /** Delay after a failure; doubles after each further one, up to the maximum. */
  readonly retryMs: number;
  readonly mostRetryMs: number;
  /** How long a chain waits if the receiver rejects its next record even when sent alone. */
  readonly refusedMs: number;
  /** How often all chains are checked, not only those that grew recently. */
  readonly wholeMs: number;
}

const usualPace: StreamPace = {
  lookMs: 1_000,
  heldMs: 30_000,
  retryMs: 1_000,
  mostRetryMs: 60_000,
  refusedMs: 60_000,
  wholeMs: 600_000,
};

/** How far back checks overlap, because the clocks of desks differ and transactions take time. */
const overlapMs = 300_000;
/** Chains in one delivery, and records of one chain: a long chain does not hold up the others. */
const mostChains = 400;
const mostOfOne = 200;
/** Making events uses CPU: other work gets its turn after this many. */
const atOnce = 25;

interface Batch {
  readonly events: readonly StreamEvent[];
  readonly records: number;
  readonly upTo: readonly { readonly chain: string; readonly place: number }[];
}

/**
 * Sends one stream: reads what its receiver does not have yet, delivers it, and then stores how far it got. Nothing is lost however the process ends; what was
 * sent just before a crash is sent again. Nothing waits for the runner. If several desks run a stream, only one of them sends.
 */
export class StreamRunner {
  readonly #options: StreamRunnerOptions;
  readonly #pace: StreamPace;
  readonly #stopping = new AbortController();
  /** Chains whose next record the receiver rejects, and until when they wait. */
  readonly #refused = new Map<string, number>();
  readonly #signatures: SignaturesAhead;
  #running: Promise<void> = Promise.resolve();
  #limit: number;
  #failures = 0;
  #wholeAt = Number.NEGATIVE_INFINITY;
  /** Chains found by the last check that are still to be sent. */
  #toCome: readonly StreamGap[] = [];
  /** The delivery after the one in flight. */
  #prepared: Promise<Batch | undefined> | undefined;
  /** When this desk last recorded that it is the sender. */
  #claimedAt = Number.NEGATIVE_INFINITY;
  /** During a check of all chains: everything that grew before this is delivered. */
  #doneBefore = '';
  #lookedAt = 0;
  #begun = false;

  constructor(options: StreamRunnerOptions) {
    this.#options = options;
    this.#pace = { ...usualPace, ...options.pace };
    this.#limit = options.batch;
    this.#signatures = new SignaturesAhead(options.trust);
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Abandons the delivery in flight: the next sender sends it again. */
  async stop(): Promise<void> {
    const { feed, name, holder, receiver } = this.#options;
    this.#stopping.abort();
    await this.#running;
    await this.#prepared?.catch(() => undefined);
    await feed.release(name, holder).catch(() => undefined);
    await receiver.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const waitMs = await this.#turn().catch((error: unknown) => {
        this.#options.observer.broken(error);
        return this.#afterFailure();
      });
      if (waitMs > 0) await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Makes at most one delivery. Returns how long to wait until the next. */
  async #turn(): Promise<number> {
    const { feed, name, from, holder, receiver, observer } = this.#options;
    if (!this.#begun) await feed.begin(name, from);
    this.#begun = true;
    if (!(await this.#isOurs())) {
      this.#lookAgain();
      return this.#pace.lookMs;
    }
    const batch = await (this.#prepared ?? this.#nextBatch());
    this.#prepared = undefined;
    if (!batch) return this.#pace.lookMs;
    this.#prepare();
    const sent = await receiver.deliver(batch.events, this.#stopping.signal);
    if (this.#stopping.signal.aborted && sent.state !== 'delivered') return 0;
    if (sent.state === 'delivered') {
      if (await feed.delivered(name, holder, batch.upTo)) observer.delivered(batch.events.length);
      else this.#lookAgain();
      this.#failures = 0;
      const waiting = this.#refused.size;
      if (waiting > 0)
        await feed.failed(name, `the next record of ${waiting} chains is refused even on its own: these chains wait`);
      this.#limit = Math.min(this.#options.batch, this.#limit * 2);
      return 0;
    }
    observer.failed(sent.state, sent.reason);
    await feed.failed(name, sent.reason);
    return sent.state === 'refused' ? this.#afterRefusal(batch) : this.#afterFailure(sent);
  }

  /** Recorded rarely enough to cost nothing, and long before another desk may take over. */
  async #isOurs(): Promise<boolean> {
    const { feed, name, holder } = this.#options;
    const now = performance.now();
    if (now - this.#claimedAt < this.#pace.heldMs / 6) return true;
    const isOurs = await feed.claim(name, holder, this.#pace.heldMs);
    if (isOurs) this.#claimedAt = now;
    return isOurs;
  }

  /** Prepares the next delivery while one is in flight, as far as the last check has found records: a new check would find those in flight again. */
  #prepare(): void {
    if (this.#toCome.length === 0) return;
    this.#prepared = this.#nextBatch();
    // The caller that awaits it gets the error.
    this.#prepared.catch(() => undefined);
  }

  /** Discards what was found so far and checks all chains next. */
  #lookAgain(): void {
    this.#prepared = undefined;
    this.#claimedAt = Number.NEGATIVE_INFINITY;
    this.#toCome = [];
    this.#wholeAt = Number.NEGATIVE_INFINITY;
    this.#doneBefore = '';
  }

  #afterFailure({ waitMs }: Partial<Extract<StreamOutcome, { state: 'later' }>> = {}): number {
    const { retryMs, mostRetryMs } = this.#pace;
    this.#lookAgain();
    const usual = Math.min(mostRetryMs, retryMs * 2 ** Math.min(this.#failures, 20));
    this.#failures += 1;
    return Math.max(usual, waitMs ?? 0);
  }

  /** Halves the next delivery until the one record is found that is rejected even alone: then only its chain waits. */
  #afterRefusal({ records, upTo }: Batch): number {
    this.#lookAgain();
    this.#limit = Math.max(1, Math.floor(records / 2));
    const [only] = upTo;
    if (records === 1 && only) this.#refused.set(only.chain, performance.now() + this.#pace.refusedMs);
    return 0;
  }

  async #nextBatch(): Promise<Batch | undefined> {
    const events: StreamEvent[] = [];
    const upTo: { chain: string; place: number }[] = [];
    let records = 0;
    for await (const rows of this.#signatures.eachChain(await this.#nextRows())) {
      const last = rows.at(-1);
      // Its rows are gone although its head says otherwise: the notary reports that.
      if (!last) continue;
      const problems = originProblems(rows, this.#signatures);
      for (const [index, row] of rows.entries()) {
        records += 1;
        if (records % atOnce === 0) await breathe();
        events.push(...this.#eventsOf(row, problems[index]));
      }
      upTo.push({ chain: last.chain, place: last.place });
    }
    return records === 0 ? undefined : { events, records, upTo };
  }

  /** Returns the next rows of each chain that has any, at most one delivery in total. */
  async #nextRows(): Promise<readonly (readonly StoredRecord[])[]> {
    const { feed } = this.#options;
    if (this.#toCome.length === 0) this.#toCome = await this.#gaps();
    const ends = new Map(this.#toCome.map(({ chain, upTo }) => [chain, upTo]));
    const taken: StreamGap[] = [];
    const left: StreamGap[] = [];
    let room = this.#limit;
    for (const gap of this.#toCome) {
      const upTo = gap.after + Math.min(gap.upTo - gap.after, mostOfOne, room);
      if (upTo > gap.after) taken.push({ ...gap, upTo });
      if (upTo < gap.upTo) left.push({ ...gap, after: upTo });
      room -= upTo - gap.after;
    }
    this.#toCome = left;
    const found = await feed.rowsOf(taken);
    return Promise.all(
      taken.map(async (gap) => {
        const rows = found.get(gap.chain) ?? [];
        // If places are missing, the records after them are still sent.
        const whole = { ...gap, upTo: ends.get(gap.chain) ?? gap.upTo };
        return rows.length > 0 ? rows : feed.rows(whole, gap.upTo - gap.after);
      }),
    );
  }

  async #gaps(): Promise<readonly StreamGap[]> {
    const { feed, name } = this.#options;
    const now = performance.now();
    for (const [chain, until] of this.#refused) if (until < now) this.#refused.delete(chain);
    const lookedAt = Date.now();
    const whole = now - this.#wholeAt >= this.#pace.wholeMs;
    const most = mostChains + this.#refused.size;
    const grownSince = whole ? this.#doneBefore : new Date(this.#lookedAt - overlapMs).toISOString();
    const found = await feed.behind(name, { most, grownSince });
    // Otherwise each check would pass over everything that is already delivered.
    if (whole) this.#doneBefore = found[0]?.grownAt ?? '';
    // As long as there are more than one check returns, the next one starts with the oldest again.
    if (found.length < most) {
      if (whole) {
        this.#wholeAt = now;
        this.#doneBefore = '';
      }
      this.#lookedAt = lookedAt;
    }
    return found.filter(({ chain }) => !this.#refused.has(chain));
  }

  #eventsOf(row: StoredRecord, problem: string | undefined): readonly StreamEvent[] {
    const { format, maker } = this.#options;
    const item = this.#itemOf(row, problem);
    return format === 'ocsf' ? ocsfEventsOf(item, maker) : [cloudEventOf(item, maker)];
  }

  /** Only what the chain's own cell or desk has signed is presented as theirs. */
  #itemOf({ chain, place, previous, hash, signed }: StoredRecord, problem: string | undefined): StreamItem {
    if (signed && problem === undefined) return { record: { place, previous, hash, signed } };
    // Its key may be a trusted one whose file cannot be read right now: that is not forgery, so the record is sent later.
    if (signed && this.#options.trust.isUnsureOf?.(signed.keyId))
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'a public key that the configuration names cannot be read');
    const row = { chain, place, problem: problem ?? 'is not a record' };
    this.#options.observer.unproven(row);
    return { unproven: { ...row, foundAt: new Date().toISOString() } };
  }
}
