import type { EvidenceActivities, EvidenceOrderAnswer, EvidenceOrderDone } from '../../core/decide/control.ts';
import type { KeyName } from '../../core/evidence/incident-key.ts';
import { doneBy, unholdAsked } from '../../core/orders/order.ts';
import { condition } from '../world.ts';
import { claimedActor, signatureIn } from './control-decisions.ts';
import type { ControlModel } from './control-model.ts';

const mostWaiting = 100;
/** Per pass: the rest waits for the next one, so that the history can be cut in between. */
const mostAtOnce = 200;

type Asked = { readonly kind: 'order'; readonly value: unknown } | { readonly kind: 'expire' };

/**
 * Handles orders to destroy stored evidence, to hold it and to end a hold, and destroys evidence whose retention is over: recorded before it is done, and when
 * it is done. A store that does not answer must not delay a freeze or a vote: this runs in a lane of its own.
 */
export class EvidenceOrders {
  readonly #model: ControlModel;
  readonly #cell: EvidenceActivities;
  readonly #refused = new Set<string>();
  #waiting: readonly Asked[] = [];
  #busy = false;

  constructor(model: ControlModel, cell: EvidenceActivities) {
    this.#model = model;
    this.#cell = cell;
  }

  get isIdle(): boolean {
    return !this.#busy && this.#waiting.length === 0;
  }

  hear(asked: Asked): void {
    // One pending pass is as good as many.
    if (asked.kind === 'expire' && this.#waiting.some(({ kind }) => kind === 'expire')) return;
    if (this.#waiting.length < mostWaiting) this.#waiting = [...this.#waiting, asked];
  }

  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#waiting.length > 0);
      const [next, ...rest] = this.#waiting;
      this.#busy = true;
      this.#waiting = rest;
      if (next?.kind === 'order') await this.#order(next.value);
      else await this.#expire();
      this.#busy = false;
    }
  }

  async #order(value: unknown): Promise<void> {
    const checked = await this.#cell.checkEvidenceOrder(value).catch((): EvidenceOrderAnswer => notChecked);
    if (!checked.ok) return this.#model.record('evidence.refused', claimedActor(value), checked.reason, signatureIn(value));
    if (!this.#model.acceptsOnce(checked.order)) return;
    const { kind, person, incident, reason } = checked.order.order;
    const actor = `person/${person}`;
    const about = { incident, ...signatureIn(checked.order) };
    this.#model.record('evidence.ordered', actor, `${checked.name}: ${words[kind]} of ${incident}: ${reason}`, {
      order: checked.order,
      keys: checked.keys,
    });
    const done = await this.#cell.carryOutEvidenceOrder(checked.order).catch((): EvidenceOrderDone => notDone);
    if (!done.ok) return this.#model.record('evidence.refused', actor, done.reason, about);
    this.#model.record(done.asked ? unholdAsked : doneBy[kind], actor, done.text, { ...about, keys: checked.keys });
  }

  async #expire(): Promise<void> {
    const tried: string[] = [];
    while (tried.length < mostAtOnce) {
      // Requested again within the hour.
      const found = await this.#cell.findExpiredEvidence({ except: tried }).catch(() => []);
      if (found.length === 0) return;
      for (const key of found) await this.#destroy(key);
      tried.push(...found.map(({ id }) => id));
    }
  }

  async #destroy(key: KeyName): Promise<void> {
    const what = `${key.class} of ${key.incident}, kept since ${key.madeAt.slice(0, 10)}`;
    // Evidence that the store does not delete is retried every hour, and reported once.
    const isNew = !this.#refused.has(key.id);
    if (isNew) this.#model.record('evidence.expired', 'engine', `its retention has ended: ${what}`, { key });
    const done = await this.#cell.destroyExpiredEvidence(key.id).catch((): EvidenceOrderDone => notDone);
    if (done.ok) this.#model.record('evidence.destroyed', 'engine', `${what}: ${done.text}`, { key });
    else if (isNew) this.#model.record('evidence.refused', 'engine', `${what}: ${done.reason}`, { key });
    if (done.ok) this.#refused.delete(key.id);
    else this.#refused.add(key.id);
  }
}

const words = {
  'evidence.destroy': 'destroy the keys',
  'evidence.hold': 'destroy nothing',
  'evidence.unhold': 'end the hold',
} as const;

const notChecked = { ok: false, reason: 'It could not be checked. Send it again.' } as const;
const notDone = {
  ok: false,
  reason: 'The evidence store did not answer in time. Check what is listed, and order it again.',
} as const;
