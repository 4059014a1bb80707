import type { DeskActivities } from '../core/action/step.ts';
import type { OutgoingRecord } from '../core/audit/alert-archive.ts';
import type { RecordKind } from '../core/audit/record-kinds.ts';
import type { IncidentRef } from '../core/incident/incident.ts';
import { condition, recordMade, recordsLeft, runInfo, sleep, timeNow } from './world.ts';

/** From this many on, records wait for no others. */
const batchSize = 100;
/** With a backlog, more are sent at once: each call takes as long as the desk needs to begin it. */
const mostAtOnce = 400;
const batchBytes = 500_000;
/** Out of Temporal's 2 MB for the start of a run; the incident's state needs the rest. */
const carriedBytes = 500_000;
const retryAfterRefusal = '5m';

/** Records of one moment are sent together: each call costs a workflow task and a synchronous write. They are in the history meanwhile. */
const gatherMs = 1_000;

/** Records that may wait for others: repetitions, of which a storm makes many. */
const patientKinds: ReadonlySet<string> = new Set(['alert.joined', 'alert.suppressed', 'step.seen']);

/**
 * Kinds that come alone and long after everything else: waiting for others would cost a timer and one more task of an incident whose history must be replayed
 * for it.
 */
const loneKinds: ReadonlySet<string> = new Set(['effect.checked', 'question.escalated']);

/** One call per signal would fill the history: the longer it is, the longer repetitions wait for one another. They are in the history meanwhile. */
function patienceMs(): number {
  const { historyLength } = runInfo();
  if (historyLength < 500) return 0;
  return historyLength < 2_000 ? 60_000 : 600_000;
}

/**
 * The incident's records on their way to the audit store. The workflow is the outbox: it numbers them, sends one batch at a time,
 * and does not close before all are acknowledged. They are signed as they leave the sandbox, by the codec of the cell's worker.
 */
export class Outbox {
  readonly #chain: string;
  readonly #send: DeskActivities['recordAudit'];
  #pending: OutgoingRecord[] = [];
  #made = 0;
  #acknowledged = 0;

  constructor(incident: IncidentRef, send: DeskActivities['recordAudit']) {
    this.#chain = `${incident.id}@${incident.run}`;
    this.#send = send;
  }

  add(kind: RecordKind, actor: string, body: Readonly<Record<string, unknown>>, kept?: string): void {
    this.#made += 1;
    const record = { chain: this.#chain, number: this.#made, at: timeNow(), kind, actor, body };
    const outgoing = kept === undefined ? record : { ...record, kept };
    this.#pending.push(outgoing);
    recordMade(outgoing);
  }

  carryOn(from: { readonly pending: readonly OutgoingRecord[]; readonly made: number; readonly acknowledged: number }): void {
    this.#pending = [...from.pending];
    this.#made = from.made;
    this.#acknowledged = from.acknowledged;
  }

  /** What the next run begins with. If many records are pending, there is no room for the alerts stored with them: those of the last ones are lost. */
  get carried(): readonly OutgoingRecord[] {
    let length = 0;
    return this.#pending.map(({ kept, ...record }) => {
      length += kept?.length ?? 0;
      return kept !== undefined && length <= batchBytes ? { ...record, kept } : record;
    });
  }

  get counts(): { readonly made: number; readonly acknowledged: number } {
    return { made: this.#made, acknowledged: this.#acknowledged };
  }

  /** Whether it fits into the start of the next run. */
  get canBeCarried(): boolean {
    let bytes = 0;
    return this.#pending.every(({ kept: _, ...record }) => {
      bytes += JSON.stringify(record).length;
      return bytes <= carriedBytes;
    });
  }

  get empty(): boolean {
    return this.#pending.length === 0;
  }

  /** Sends for as long as the workflow lives; the activity retries until the store answers. */
  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#pending.length > 0);
      const patience = patienceMs();
      if (!this.#urgent && patience > 0) await condition(() => this.#urgent, patience);
      if (this.#mayBeJoined) await condition(() => this.#pending.length >= batchSize, gatherMs);
      const batch = this.#next();
      try {
        await this.#send(batch);
      } catch {
        // The desk refuses because it does not know this cell's key. The incident goes on – people are heard, pods are contained – but does not close.
        await sleep(retryAfterRefusal);
        continue;
      }
      recordsLeft(batch);
      this.#pending = this.#pending.slice(batch.length);
      this.#acknowledged += batch.length;
    }
  }

  get #urgent(): boolean {
    return this.#pending.length >= batchSize || this.#pending.some((record) => !patientKinds.has(record.kind));
  }

  get #mayBeJoined(): boolean {
    return !this.#pending.every(({ kind }) => loneKinds.has(kind));
  }

  /** A payload of Temporal is limited to 2 MB. */
  #next(): readonly OutgoingRecord[] {
    let bytes = 0;
    const batch = this.#pending.slice(0, mostAtOnce).filter((record) => {
      bytes += JSON.stringify(record).length;
      return bytes <= batchBytes;
    });
    return batch.length > 0 ? batch : this.#pending.slice(0, 1);
  }
}
