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

/** What a runner tells of itself: for metrics and the log. */
export interface StreamObserver {
  delivered(events: number): void;
  /** `refused`: the receiver does not take what it got as it is. */
  failed(kind: 'later' | 'refused', reason: string): void;
  /** Nobody who is known has signed it: its words were left out. */
  unproven(row: { readonly chain: string; readonly place: number; readonly problem: string }): void;
  /** The database did not answer, or something else went wrong here. */
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
  /** Of this desk, and of no other. */
  readonly holder: string;
  readonly observer: StreamObserver;
  /** Records in one delivery at most. */
  readonly batch: number;
  readonly pace?: Partial<StreamPace>;
}

/** Milliseconds. */
interface StreamPace {
  /** Between two looks for what has come. */
  readonly lookMs: number;
  /** A desk that says nothing for so long sends no more: another one may. */
  readonly heldMs: number;
  /** After a failure; twice as long after each further one, up to the most. */
  readonly retryMs: number;
  readonly mostRetryMs: number;
  /** How long records of a chain wait whose next one the receiver refuses by itself. */
  readonly refusedMs: number;
  /** How often all chains are looked at, and not only those that grew lately. */
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

/** What is looked at besides, since clocks of desks differ and transactions take their time. */
const overlapMs = 300_000;
/** Chains in one delivery, and records of one chain: a long chain holds up no other. */
const mostChains = 400;
const mostOfOne = 200;
/** Making events takes the processor: others have their turn in between. */
const atOnce = 25;

interface Batch {
  readonly events: readonly StreamEvent[];
  readonly records: number;
  readonly upTo: readonly { readonly chain: string; readonly place: number }[];
}

/**
 * Sends one stream: reads what its receiver has not got, delivers it, and then notes how far it has come, so that nothing is lost however it ends, and
 * what was sent before a crash is sent again. Nobody waits for it. Where several desks run it, one of them sends.
 */
export class StreamRunner {
  readonly #options: StreamRunnerOptions;
  readonly #pace: StreamPace;
  readonly #stopping = new AbortController();
  /** Chains whose next record the receiver refuses, and until when they wait. */
  readonly #refused = new Map<string, number>();
  readonly #signatures: SignaturesAhead;
  #running: Promise<void> = Promise.resolve();
  #limit: number;
  #failures = 0;
  #wholeAt = Number.NEGATIVE_INFINITY;
  /** Chains of the last look that are still to come. */
  #toCome: readonly StreamGap[] = [];
  /** The delivery after the one that is on its way. */
  #prepared: Promise<Batch | undefined> | undefined;
  /** When it was last noted that this desk sends. */
  #claimedAt = Number.NEGATIVE_INFINITY;
  /** In a look at all chains: what grew before this is delivered. */
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

  /** What is on its way is given up: it is sent again by whoever sends next. */
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

  /** One delivery at most. How long to wait until the next. */
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
      if (waiting > 0) await feed.failed(name, `the next record of ${waiting} chains is refused by itself: they wait`);
      this.#limit = Math.min(this.#options.batch, this.#limit * 2);
      return 0;
    }
    observer.failed(sent.state, sent.reason);
    await feed.failed(name, sent.reason);
    return sent.state === 'refused' ? this.#afterRefusal(batch) : this.#afterFailure(sent);
  }

  /** Noted seldom enough to cost nothing, and long before another one may send. */
  async #isOurs(): Promise<boolean> {
    const { feed, name, holder } = this.#options;
    const now = performance.now();
    if (now - this.#claimedAt < this.#pace.heldMs / 6) return true;
    const isOurs = await feed.claim(name, holder, this.#pace.heldMs);
    if (isOurs) this.#claimedAt = now;
    return isOurs;
  }

  /** While a delivery is on its way, as far as the last look has shown what comes: another look would show again what is on its way. */
  #prepare(): void {
    if (this.#toCome.length === 0) return;
    this.#prepared = this.#nextBatch();
    // Who waits for it is told.
    this.#prepared.catch(() => undefined);
  }

  /** Whatever was looked up counts no more: a look at all chains is next. */
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

  /** Half as many next time, until the one is found that is refused by itself: its chain waits then, and no other. */
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
      // Its rows are gone, though its head says otherwise: the notary tells of that.
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

  /** Of each chain that has some to come, as many in all as one delivery takes. */
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
        // Where places are missing, what comes after them is sent all the same.
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
    // Else each look of a long way would pass all that is delivered.
    if (whole) this.#doneBefore = found[0]?.grownAt ?? '';
    // As long as there is more than one look shows, the next one begins with the oldest again.
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

  /** Only what its chain's own cell or desk has signed is told as theirs. */
  #itemOf({ chain, place, previous, hash, signed }: StoredRecord, problem: string | undefined): StreamItem {
    if (signed && problem === undefined) return { record: { place, previous, hash, signed } };
    // Its key may be one that is trusted, whose file cannot be read for the moment: that is no forgery, and told later.
    if (signed && this.#options.trust.isUnsureOf?.(signed.keyId))
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'a public key that the configuration names cannot be read');
    const row = { chain, place, problem: problem ?? 'is no record' };
    this.#options.observer.unproven(row);
    return { unproven: { ...row, foundAt: new Date().toISOString() } };
  }
}
