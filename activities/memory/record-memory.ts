import { keyOfRecord, type OutgoingRecord, type RecordPlace, type UnsentRecord } from '../../core/audit/alert-archive.ts';
import type { ControlState } from '../../core/decide/control.ts';
import type { DurableValues } from './memory.ts';

/** A larger signal would not go through Temporal, or the next run could not be started with what is still waiting. */
const mostHandedBytes = 200_000;

interface Entry extends RecordPlace {
  /** Its name on disk. */
  readonly name: string;
  readonly run: string;
}

interface NewestRun {
  /** The first run of its start. */
  readonly first: string;
  /** Temporal's own id of the run. */
  readonly run: string;
  /** If set, earlier runs have written the same chain. */
  readonly isSetBack: boolean;
}

/**
 * Records that the audit store does not have yet, as this cell has seen them being made: anyone who can reach Temporal can end or reset a workflow before they
 * have left it. Their positions are held in memory, their contents on disk.
 */
export class RecordMemory {
  readonly #kept: DurableValues<UnsentRecord>;
  /** By workflow, then by chain and number. */
  readonly #entries = new Map<string, Map<string, readonly Entry[]>>();

  constructor(kept: DurableValues<UnsentRecord>) {
    this.#kept = kept;
    for (const name of kept.keys()) {
      const found = kept.get(name);
      if (found) this.#enter(workflowOf(found.record), { name, run: found.run, ...placeOf(found.record) });
    }
  }

  /** A repeated task makes its records again: the last one counts. Alerts kept with a record are not kept here. */
  made(run: string, { kept: _, ...record }: OutgoingRecord): void {
    const workflow = workflowOf(record);
    this.#drop(workflow, record, (entry) => entry.run === run);
    const name = `${run}/${keyOfRecord(record)}`;
    this.#enter(workflow, { name, run, ...placeOf(record) });
    this.#kept.put(name, { run, record });
  }

  /** The store has these records. It does not have a different one under the same number, from a run that was reset. */
  left(run: string, records: readonly RecordPlace[]): void {
    for (const record of records) this.#drop(workflowOf(record), record, (entry) => entry.run === run || entry.at === record.at);
  }

  /** Workflows with records that have waited this long, each with the first run of its oldest record. */
  waitingFor(ms: number, now: number): readonly { readonly workflow: string; readonly first: string }[] {
    return [...this.#entries.keys()].flatMap((workflow) => {
      const [oldest] = this.#all(workflow).toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
      const isOld = oldest !== undefined && now - Date.parse(oldest.at) >= ms;
      return isOld ? [{ workflow, first: oldest.chain.slice(workflow.length + 1) }] : [];
    });
  }

  /** Nothing more can be missing from a workflow that has ended by itself. */
  forget(workflow: string): void {
    for (const { name } of this.#all(workflow)) this.#kept.remove(name);
    this.#entries.delete(workflow);
  }

  /** What the store lacks of that workflow's runs before this one, oldest first: only part of it if there is much. */
  before(workflow: string, { first, run, isSetBack }: NewestRun): readonly OutgoingRecord[] {
    const isBefore = (entry: Entry): boolean => entry.run !== run && (isSetBack || entry.chain !== `${workflow}@${first}`);
    return this.#some(this.#all(workflow).filter(isBefore));
  }

  /** Compares with what the control workflow reports now. @returns what it does not know of */
  lostIn({ incident: { id }, audit, handed }: Pick<ControlState, 'incident' | 'audit' | 'handed'>): readonly OutgoingRecord[] {
    if (!handed) return [];
    const [own, stored, waiting] = [new Set(handed.runs), new Set(handed.stored), new Set(handed.waiting)];
    const lost: Entry[] = [];
    for (const entry of this.#all(id)) {
      const isOwn = own.has(entry.run);
      const key = keyOfRecord(entry);
      // Another replica of this cell may have seen that it has left.
      if (isOwn ? entry.number <= audit.acknowledged : stored.has(key)) this.#drop(id, entry, ({ name }) => name === entry.name);
      else if (!isOwn && !waiting.has(key)) lost.push(entry);
    }
    return this.#some(lost);
  }

  #all(workflow: string): readonly Entry[] {
    return [...(this.#entries.get(workflow)?.values() ?? [])].flat();
  }

  #some(entries: readonly Entry[]): readonly OutgoingRecord[] {
    const records: OutgoingRecord[] = [];
    let bytes = 0;
    for (const { name } of entries.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at) || a.number - b.number)) {
      const record = this.#kept.get(name)?.record;
      if (!record) continue;
      bytes += JSON.stringify(record).length;
      if (bytes > mostHandedBytes && records.length > 0) break;
      records.push(record);
    }
    return records;
  }

  #enter(workflow: string, entry: Entry): void {
    const ofWorkflow = this.#entries.get(workflow) ?? new Map<string, readonly Entry[]>();
    this.#entries.set(workflow, ofWorkflow);
    const slot = slotOf(entry);
    ofWorkflow.set(slot, [...(ofWorkflow.get(slot) ?? []), entry]);
  }

  #drop(workflow: string, of: RecordPlace, isMeant: (entry: Entry) => boolean): void {
    const ofWorkflow = this.#entries.get(workflow);
    const slot = slotOf(of);
    const there = ofWorkflow?.get(slot) ?? [];
    for (const { name } of there.filter(isMeant)) this.#kept.remove(name);
    const rest = there.filter((entry) => !isMeant(entry));
    if (rest.length > 0) ofWorkflow?.set(slot, rest);
    else ofWorkflow?.delete(slot);
    if (ofWorkflow?.size === 0) this.#entries.delete(workflow);
  }
}

/** `WORKFLOW@RUN`. */
function workflowOf({ chain }: Pick<RecordPlace, 'chain'>): string {
  return chain.slice(0, Math.max(0, chain.lastIndexOf('@')));
}

function placeOf({ chain, number, at }: RecordPlace): RecordPlace {
  return { chain, number, at };
}

function slotOf({ chain, number }: RecordPlace): string {
  return `${chain} ${number}`;
}
