import { condition } from '@temporalio/workflow';
import type { AuditRecord } from '../core/audit.ts';
import type { IncidentRef } from '../core/incident.ts';
import type { DeskActivities } from '../core/step.ts';

const batchSize = 100;

/**
 * The incident's records on their way to the audit store. The workflow is the outbox: it numbers them, sends one batch at a time,
 * and does not close before all are acknowledged.
 */
export class Outbox {
  readonly #chain: string;
  readonly #send: DeskActivities['recordAudit'];
  #pending: AuditRecord[] = [];
  #made = 0;
  #acknowledged = 0;

  constructor(incident: IncidentRef, send: DeskActivities['recordAudit']) {
    this.#chain = `${incident.id}@${incident.run}`;
    this.#send = send;
  }

  add(kind: string, actor: string, body: Readonly<Record<string, unknown>>): void {
    this.#made += 1;
    this.#pending.push({ chain: this.#chain, number: this.#made, at: new Date().toISOString(), kind, actor, body });
  }

  carryOn(from: { readonly pending: readonly AuditRecord[]; readonly made: number; readonly acknowledged: number }): void {
    this.#pending = [...from.pending];
    this.#made = from.made;
    this.#acknowledged = from.acknowledged;
  }

  get pending(): readonly AuditRecord[] {
    return this.#pending;
  }

  get counts(): { readonly made: number; readonly acknowledged: number } {
    return { made: this.#made, acknowledged: this.#acknowledged };
  }

  get empty(): boolean {
    return this.#pending.length === 0;
  }

  /** Sends for as long as the workflow lives; the activity retries until the store answers. */
  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#pending.length > 0);
      const batch = this.#pending.slice(0, batchSize);
      await this.#send(batch);
      this.#pending = this.#pending.slice(batch.length);
      this.#acknowledged += batch.length;
    }
  }
}
