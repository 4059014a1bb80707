import { FirebreakError } from '../../core/errors.ts';
import { incidentIdOf } from '../../core/incident.ts';
import type { Sensor, SeverityOverrides } from '../../core/sensor.ts';
import type { SubjectResolver } from '../../core/subject-resolver.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { IntakeLog } from './log.ts';
import { type ParsedItem, parseAlerts } from './parse.ts';
import type { Spool } from './spool.ts';

/** Seals bytes for the disk. `aad` says what they are for, and is needed to open them. */
export type SealBytes = (bytes: Uint8Array, aad: string) => Uint8Array;

/** What a raw alert or a rejected item is sealed for. */
export const sealedFor = { alert: 'firebreak.spool.alert', rejected: 'firebreak.spool.rejected' } as const;

/** What became of one item. */
export type ItemAnswer =
  | { readonly status: 'accepted' | 'duplicate'; readonly id: string; readonly incident: string }
  | { readonly status: 'health' }
  /** Understood, and no alert. */
  | { readonly status: 'ignored'; readonly reason: string }
  | { readonly status: 'rejected'; readonly reason: string }
  /** To be sent again. */
  | { readonly status: 'unavailable'; readonly reason: string };

export interface Answer {
  readonly status: 200 | 400 | 413 | 415 | 422 | 503;
  readonly items: readonly ItemAnswer[];
  /** Why the body as a whole was not taken. */
  readonly reason?: string;
}

export interface ReceiverOptions {
  readonly cluster: string;
  /** What the configuration says of the sensors' rules. */
  readonly severities?: SeverityOverrides;
  readonly resolver: SubjectResolver;
  readonly seal: SealBytes;
  readonly spool: Spool;
  readonly dispatcher: Dispatcher;
  readonly log: IntakeLog;
}

/** What is known of a body beside its bytes. */
export interface Delivery {
  readonly sensor?: Sensor;
  /** The headers of a binary CloudEvent. */
  readonly cloudEvent?: Readonly<Record<string, string>>;
  /** The sender's name, for the record. */
  readonly from: string;
}

const keptOfRejected = 65_536;
/** One body's alerts that are handled at once: the event loop goes on in between. */
const atOnce = 500;

/** From a body to durable alerts, item by item. */
export class Receiver {
  readonly #options: ReceiverOptions;
  /** Alerts on their way to being durable: the same one sent twice at once waits for the first. */
  readonly #underway = new Map<string, Promise<ItemAnswer>>();

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Never throws for what is in the body. */
  async receive(bytes: Uint8Array, { sensor, cloudEvent, from }: Delivery): Promise<Answer> {
    const { cluster, severities } = this.#options;
    const parsed = parseAlerts(bytes, {
      cluster,
      ...(sensor && { sensor }),
      ...(cloudEvent && { cloudEvent }),
      ...(severities && { severities }),
    });
    if (!parsed.ok) {
      await this.#keepRejected(bytes, parsed.reason, from);
      return { status: parsed.status, items: [], reason: parsed.reason };
    }
    const items: ItemAnswer[] = [];
    for (let start = 0; start < parsed.items.length; start += atOnce) {
      items.push(...(await Promise.all(parsed.items.slice(start, start + atOnce).map((item) => this.#receiveItem(item, from)))));
    }
    return { status: statusOf(items), items };
  }

  /** Keeps what could not be read, so that it can be looked at. */
  async #keepRejected(bytes: Uint8Array, reason: string, from: string): Promise<void> {
    const { spool, seal, log } = this.#options;
    log.warn({ from, reason, bytes: bytes.length }, 'an item was rejected');
    try {
      const raw = seal(bytes.subarray(0, keptOfRejected), sealedFor.rejected);
      await spool.reject({ at: new Date().toISOString(), reason, bytes: bytes.length, raw });
    } catch {
      log.error({ from, reason }, 'a rejected item could not be kept');
    }
  }

  async #receiveItem(item: ParsedItem, from: string): Promise<ItemAnswer> {
    if (item.kind === 'rejected') {
      await this.#keepRejected(item.raw, item.reason, from);
      return { status: 'rejected', reason: item.reason };
    }
    if (item.kind === 'health') {
      this.#options.log.info({ from, sensor: item.sensor, time: item.time }, 'a sensor speaks of its own health');
      return { status: 'health' };
    }
    if (item.kind === 'ignored') return { status: 'ignored', reason: item.reason };
    const { id } = item.alert;
    const known = this.#options.spool.ledger.get(id);
    if (known !== undefined) return { status: 'duplicate', id, incident: known.incident };
    const same = this.#underway.get(id);
    if (same !== undefined) {
      const answer = await same;
      return answer.status === 'accepted' ? { ...answer, status: 'duplicate' } : answer;
    }
    const taking = this.#take(item).finally(() => this.#underway.delete(id));
    this.#underway.set(id, taking);
    return taking;
  }

  async #take({ alert: decoded, raw }: Extract<ParsedItem, { readonly kind: 'alert' }>): Promise<ItemAnswer> {
    const { resolver, seal, spool, dispatcher, log } = this.#options;
    if (spool.isFull()) return { status: 'unavailable', reason: 'the spool is full' };
    try {
      const { alert, subject, ambiguous } = resolver.resolve(decoded);
      const incident = incidentIdOf(subject);
      if (ambiguous !== undefined)
        log.warn({ incident, alert: alert.id, ambiguous }, 'it cannot be told which pod an alert is about');
      const receivedAt = new Date().toISOString();
      await dispatcher.accept(incident, { alert, subject, raw: seal(raw, sealedFor.alert), receivedAt });
      return { status: 'accepted', id: alert.id, incident };
    } catch (error) {
      const code = error instanceof FirebreakError ? error.code : 'FB_ERR_INTERNAL';
      log.error({ code, alert: decoded.id }, 'an alert could not be taken');
      return { status: 'unavailable', reason: 'the alert could not be made durable' };
    }
  }
}

/** One that has to be sent again makes the whole to be sent again: what was taken is known by its id. */
function statusOf(items: readonly ItemAnswer[]): 200 | 422 | 503 {
  if (items.some(({ status }) => status === 'unavailable')) return 503;
  return items.every(({ status }) => status === 'rejected') ? 422 : 200;
}
