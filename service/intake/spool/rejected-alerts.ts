import { sensors } from '../../../integrations/sensors/index.ts';
import type { IntakeLog } from '../log.ts';
import type { Receiver } from '../read/receive.ts';
import type { Senders } from '../read/sender.ts';
import type { Dispatcher } from '../send/dispatcher.ts';
import type { Spool } from './spool.ts';

/** An item that is set aside, as it is listed. `r…`: rejected on arrival; `t…`: accepted, then permanently refused by Temporal. */
export interface RejectedAlert {
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly reason: string;
  readonly from?: string;
  readonly sensor?: string;
  readonly incident?: string;
  readonly rule?: string;
  readonly bytes?: number;
  /** Only the beginning is kept, so it cannot be sent again from here. */
  readonly cut?: true;
}

export interface ShownAlert extends RejectedAlert {
  /** The received bytes, sealed, in base64; the owner has the key. */
  readonly sealed?: string;
  /** The purpose it was sealed for. */
  readonly sealedFor?: 'alert' | 'rejected';
}

export interface Replayed {
  readonly id: string;
  /** `returned`: it waits in its incident's line again. */
  readonly outcome: 'accepted' | 'duplicate' | 'ignored' | 'returned' | 'refused' | 'unknown';
  readonly reason?: string;
}

export interface Dropped {
  readonly id: string;
  readonly outcome: 'dropped' | 'unknown';
}

interface Running {
  readonly dispatcher: Dispatcher;
  readonly receiver: Receiver;
  readonly senders: Senders;
  readonly log: IntakeLog;
}

/** The alerts that are set aside, for inspection and replay. Without the running intake they can only be inspected and returned. */
export class RejectedAlerts {
  readonly #spool: Spool;
  readonly #running: Running | undefined;

  constructor({ spool, ...running }: { readonly spool: Spool } & Partial<Running>) {
    this.#spool = spool;
    const { dispatcher, receiver, senders, log } = running;
    this.#running = dispatcher && receiver && senders && log ? { dispatcher, receiver, senders, log } : undefined;
  }

  /** Newest first. */
  list(): readonly RejectedAlert[] {
    const { rejectedItems } = this.#spool;
    const rejected = rejectedItems.rejected().map(({ place }) => this.#shown(`r${place}`));
    const refused = rejectedItems.refused().map(({ place }) => this.#shown(`t${place}`));
    return [...rejected, ...refused]
      .flatMap((shown) => {
        if (shown === undefined) return [];
        const { sealed: _, sealedFor: __, ...kept } = shown;
        return [kept];
      })
      .sort((a, b) => (a.at < b.at ? 1 : -1));
  }

  show(id: string): ShownAlert | undefined {
    return this.#shown(id);
  }

  /** @param raw the rejected bytes, opened by the holder of the key */
  async replay(id: string, raw: Uint8Array): Promise<Replayed> {
    const place = placeIn(id);
    if (place === undefined) return { id, outcome: 'unknown' };
    if (id.startsWith('t')) {
      const incident = await this.#spool.takeBack(place);
      if (incident === undefined) return { id, outcome: 'unknown' };
      this.#running?.dispatcher.wake(incident);
      return { id, outcome: 'returned' };
    }
    const item = this.#spool.rejectedItems.rejectedAt(place);
    if (item === undefined) return { id, outcome: 'unknown' };
    if (item.cut === true) return { id, outcome: 'refused', reason: 'only its beginning was kept' };
    if (this.#running === undefined) return { id, outcome: 'refused', reason: 'only the running service can read it again' };
    const sensor = sensors.find(({ name }) => name === item.sensor);
    const from = this.#running.senders.of(item.from ?? 'unknown', item.node);
    const { items, reason } = await this.#running.receiver.receive(raw, { from, replayed: true, ...(sensor && { sensor }) });
    const bad = items.find(({ status }) => ['rejected', 'forbidden', 'limited', 'unavailable'].includes(status));
    if (items.length === 0 || bad !== undefined) {
      return { id, outcome: 'refused', reason: reason ?? (bad !== undefined && 'reason' in bad ? bad.reason : 'it is empty') };
    }
    await this.#spool.rejectedItems.forgetRejected(place);
    const has = (wanted: string): boolean => items.some(({ status }) => status === wanted);
    return { id, outcome: has('accepted') ? 'accepted' : has('duplicate') ? 'duplicate' : 'ignored' };
  }

  /** Removes it from the list for good. @param reason is logged, together with what it was */
  async drop(id: string, reason: string): Promise<Dropped> {
    const shown = this.#shown(id);
    const place = placeIn(id);
    if (shown === undefined || place === undefined) return { id, outcome: 'unknown' };
    const { sealed: _, sealedFor: __, ...facts } = shown;
    await (id.startsWith('t') ? this.#spool.rejectedItems.forgetRefused(place) : this.#spool.rejectedItems.forgetRejected(place));
    this.#running?.log.warn(
      { ...facts, why: facts.reason, reason: reason.slice(0, 500) },
      'an alert that was set aside was dropped by hand',
    );
    return { id, outcome: 'dropped' };
  }

  #shown(id: string): ShownAlert | undefined {
    const place = placeIn(id);
    if (place === undefined) return undefined;
    if (id.startsWith('t')) {
      const item = this.#spool.rejectedItems.refusedAt(place);
      if (item === undefined) return undefined;
      const { at, reason, incident, entry } = item;
      const { alert, raw } = entry;
      const sealed = raw && { sealed: Buffer.from(raw).toString('base64'), sealedFor: 'alert' as const };
      return { id, at, reason, incident, sensor: alert.sensor, rule: alert.rule, ...sealed };
    }
    const item = this.#spool.rejectedItems.rejectedAt(place);
    if (item === undefined) return undefined;
    const { at, reason, bytes, raw, from, sensor, cut } = item;
    return {
      id,
      at,
      reason,
      bytes,
      ...(from !== undefined && { from }),
      ...(sensor !== undefined && { sensor }),
      ...(cut && { cut }),
      sealed: Buffer.from(raw).toString('base64'),
      sealedFor: 'rejected',
    };
  }
}

function placeIn(id: string): number | undefined {
  return /^[rt]\d{1,15}$/.test(id) ? Number(id.slice(1)) : undefined;
}
