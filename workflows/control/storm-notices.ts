import {
  isLate,
  isStormOver,
  isStormReport,
  type StormState,
  stormNotice,
  stormOverNotice,
  stormTotals,
  withReport,
} from '../../core/alert/storm.ts';
import type { RecordKind } from '../../core/audit/record-kinds.ts';
import type { Notice } from '../../core/cards/card.ts';
import { condition, nowMs } from '../world.ts';

/** Editing the channel more often would tell nobody more. */
const editEveryMs = 60_000;

interface StormNoticesOptions {
  readonly cluster: string;
  readonly storm: StormState | undefined;
  readonly show: (notice: Notice) => Promise<unknown>;
  readonly record: (kind: RecordKind, text: string, body: Readonly<Record<string, unknown>>) => void;
}

/**
 * One notice per storm, whichever intakes report it: posted when it begins, edited at most once a minute, followed by a separate message when it is over. It
 * decides nothing: what an intake reports here is only shown to people.
 */
export class StormNotices {
  readonly #options: StormNoticesOptions;
  #storm: StormState | undefined;
  #isNews: boolean;
  #editedAt = Number.NEGATIVE_INFINITY;
  /** End of the last storm, as last reported: replaying that report starts no new one. */
  #overAt = Number.NEGATIVE_INFINITY;
  #busy = false;

  constructor(options: StormNoticesOptions) {
    this.#options = options;
    this.#storm = options.storm;
    this.#isNews = options.storm !== undefined;
  }

  get storm(): StormState | undefined {
    return this.#storm;
  }

  /** Whether no call to the desk is in progress. */
  get isIdle(): boolean {
    return !this.#busy;
  }

  hear(value: unknown): void {
    if (!isStormReport(value) || isLate(value, nowMs()) || Date.parse(value.at) <= this.#overAt) return;
    const before = this.#storm;
    this.#storm = withReport(before, value);
    if (this.#storm === undefined || this.#storm === before) return;
    this.#isNews = true;
    if (before !== undefined) return;
    const { perSecond, workloads } = value;
    const { cluster, record } = this.#options;
    record('storm.begun', `${perSecond} alerts a second on about ${workloads} workloads of ${cluster}`, { perSecond, workloads });
  }

  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#storm !== undefined && this.#isNews);
      // Also checked once a minute: an intake that is gone can no longer report the end.
      while (this.#storm !== undefined) {
        await condition(() => this.#isDue, editEveryMs);
        await this.#turn(this.#storm);
      }
    }
  }

  get #isDue(): boolean {
    if (this.#storm === undefined) return true;
    const now = nowMs();
    return now - this.#editedAt >= editEveryMs && (this.#isNews || isStormOver(this.#storm, now));
  }

  async #turn(storm: StormState): Promise<void> {
    if (!this.#isDue) return;
    const { cluster } = this.#options;
    const now = nowMs();
    const over = isStormOver(storm, now);
    if (over) this.#end(storm);
    this.#isNews = false;
    this.#editedAt = now;
    this.#busy = true;
    await this.#show(stormNotice(storm, { cluster, over }));
    if (over) await this.#show(stormOverNotice(storm, { cluster, now: new Date(now).toISOString() }));
    this.#busy = false;
  }

  #end(storm: StormState): void {
    const { at, alerts, critical, workloads } = stormTotals(storm);
    this.#storm = undefined;
    this.#overAt = Date.parse(at);
    const text = `${alerts} alerts on about ${workloads} workloads, ${critical} of them critical`;
    this.#options.record('storm.over', text, { alerts, critical, workloads });
  }

  /** A notice that cannot be shown is not worth waiting for: the next one says more. */
  async #show(notice: Notice): Promise<void> {
    await this.#options.show(notice).catch(() => undefined);
  }
}
