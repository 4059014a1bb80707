import type { Alert } from '../../../core/alert/alert.ts';
import type { Sensor, SeverityOverrides } from '../../../core/alert/sensor.ts';
import type { SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import { codeOf } from '../../../core/errors.ts';
import { incidentIdOf } from '../../../core/incident/incident.ts';
import type { IntakeLog } from '../log.ts';
import type { IntakeMetrics } from '../metrics.ts';
import type { Dispatcher } from '../send/dispatcher.ts';
import type { Spool } from '../spool/spool.ts';
import type { SensorHealth, SensorWord } from '../watch/sensor-health.ts';
import type { StormWatch } from '../watch/storm.ts';
import type { Allowance } from './alert-bucket.ts';
import { FairScheduler } from './fair-scheduler.ts';
import { readInTurn } from './in-turn.ts';
import { type ParsedItem, type Unread, unreadItems } from './parse.ts';
import type { Screen, ScreenedAnswer } from './screen.ts';
import { type AlertSender, believed, foreignCluster, foreignNamespace } from './sender.ts';

/** Seals bytes for the disk. `aad` states their purpose, and is required to open them. */
export type SealBytes = (bytes: Uint8Array, aad: string) => Uint8Array;

/** The purpose for which a raw alert or a rejected item is sealed. */
export const sealedFor = { alert: 'firebreak.spool.alert', rejected: 'firebreak.spool.rejectedItems' } as const;

/** The result for one item. */
export type ItemAnswer =
  | { readonly status: 'accepted' | 'duplicate'; readonly id: string; readonly incident: string }
  | ScreenedAnswer
  | { readonly status: 'health' }
  /** Understood, but not an alert. */
  | { readonly status: 'ignored'; readonly reason: string }
  | { readonly status: 'rejected'; readonly reason: string }
  /** This sender may not report it. */
  | { readonly status: 'forbidden'; readonly code: 403; readonly reason: string }
  /** Too many from this sender: send it again. */
  | { readonly status: 'limited'; readonly code: 429; readonly reason: string }
  /** Send it again. */
  | { readonly status: 'unavailable'; readonly reason: string };

export interface IntakeAnswer {
  readonly status: 200 | 400 | 403 | 413 | 415 | 422 | 429 | 503;
  readonly items: readonly ItemAnswer[];
  /** Why the whole body was not accepted. */
  readonly reason?: string;
}

interface ReceiverOptions {
  readonly cluster: string;
  /** Severities that the configuration sets for the sensors' rules. */
  readonly severities?: SeverityOverrides;
  readonly resolver: SubjectResolver;
  readonly seal: SealBytes;
  readonly spool: Spool;
  readonly dispatcher: Dispatcher;
  readonly screen: Screen;
  /** Absent: alerts are passed on unchanged. */
  readonly stamps?: StampSource | undefined;
  /** Whether an enabled playbook is made for it. Absent: not known. */
  readonly isAnswered?: ((alert: Alert) => boolean) | undefined;
  readonly metrics: IntakeMetrics;
  readonly health: SensorHealth;
  readonly storm?: StormWatch | undefined;
  readonly log: IntakeLog;
}

/** Adds what an alert alone does not contain. Answers from memory: it is called for each alert. */
export interface StampSource {
  /** Called for each alert that arrives, whatever happens to it. */
  heard(alert: Alert): void;
  /**
   * Returns the alert in the form that incidents receive; this form is counted. `kept`: resolves once it is on the disk.
   * @param sender the sender's name: what is remembered of one sender is not used for another
   */
  stamp(alert: Alert, now: number, sender: string): { readonly alert: Alert; readonly kept?: Promise<unknown> | undefined };
}

/** What is known about a body besides its bytes. */
export interface Delivery {
  readonly sensor?: Sensor;
  /** The headers of a binary CloudEvent. */
  readonly cloudEvent?: Readonly<Record<string, string>>;
  readonly from: AlertSender;
  /** It has already been kept for inspection. */
  readonly replayed?: true;
}

type AlertItem = Extract<ParsedItem, { readonly kind: 'alert' }>;

const keptOfRejected = 262_144;
/** Size below which a body is split in less time than a turn takes. */
const smallBody = 65_536;
/** Maximum difference between the sensor's clock and the intake's. */
const mostSkewMs = 60_000;
export const tooMany = 'this sender sends more alerts than it is allowed to';
const limited: ItemAnswer = { status: 'limited', code: 429, reason: tooMany };

/** Turns a body into durable alerts, item by item. */
export class Receiver {
  readonly #options: ReceiverOptions;
  /** Alerts that are being made durable: a concurrent duplicate waits for the first. */
  readonly #underway = new Map<string, Promise<ItemAnswer>>();
  readonly #turns = new FairScheduler();

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Never throws because of a body's content. */
  async receive(bytes: Uint8Array, delivery: Delivery): Promise<IntakeAnswer> {
    const { sensor, cloudEvent } = delivery;
    const began = performance.now();
    const { cluster, severities, metrics } = this.#options;
    const { bucket } = delivery.from;
    const refused = (): IntakeAnswer => {
      metrics.refused('rate_limit');
      return { status: 429, items: [], reason: tooMany };
    };
    if (bucket.isEmpty) return refused();
    const split = (): Unread => unreadItems(bytes);
    // A small body takes one turn, not two.
    const unread = bytes.length <= smallBody ? split() : await this.#turns.run(delivery.from, split);
    if (!unread.ok) {
      if (bucket.take() !== 'read') return refused();
      await this.#keepRejected(bytes, unread.reason, delivery);
      return { status: unread.status, items: [], reason: unread.reason };
    }
    const context = {
      cluster,
      ...(sensor && { sensor }),
      ...(cloudEvent && { cloudEvent }),
      ...(severities && { severities }),
    };
    const items = await readInTurn(unread.items, {
      turns: this.#turns,
      sender: delivery.from,
      context,
      admit: (item, allowance) => this.#admit(item, allowance, delivery),
    });
    metrics.durable((performance.now() - began) / 1_000);
    return { status: statusOf(items), items };
  }

  async #admit(item: ParsedItem | undefined, allowance: Allowance, delivery: Delivery): Promise<ItemAnswer> {
    if (item === undefined || allowance === 'nothing') return this.#limit();
    const isCounted = allowance === 'read';
    if (item.kind === 'rejected') return isCounted ? this.#reject(item, delivery) : this.#limit();
    const { bucket, rule } = delivery.from;
    const foreign = foreignCluster(rule, { raw: item.raw, own: this.#options.cluster });
    if (foreign !== undefined) return isCounted ? this.#forbid(item.raw, foreign, delivery) : this.#limit();
    if ('lacks' in item && item.lacks !== undefined) this.#options.health.lacks(sensorOf(item), item.lacks);
    const known = item.kind === 'alert' ? this.#options.spool.incidentOf(item.alert.id) : undefined;
    // Items that are not alerts, or are known ones, do not count against the limit: a sender that repeats a batch must get further than the previous time.
    if (isCounted && (item.kind !== 'alert' || known !== undefined)) bucket.giveBack();
    if (item.kind !== 'alert') return this.#noAlert(item, delivery);
    if (known !== undefined) return this.#duplicate(item.alert.id, known);
    if (!isCounted && !(item.alert.severity === 'critical' && bucket.takeCritical())) return this.#limit();
    return this.#receiveAlert(item, delivery);
  }

  async #reject({ raw, reason }: { readonly raw: Uint8Array; readonly reason: string }, delivery: Delivery): Promise<ItemAnswer> {
    await this.#keepRejected(raw, reason, delivery);
    return { status: 'rejected', reason };
  }

  #noAlert(item: Extract<ParsedItem, { readonly kind: 'health' | 'ignored' }>, { from }: Delivery): ItemAnswer {
    if (item.kind === 'ignored') return { status: 'ignored', reason: item.reason };
    const { metrics, health, log } = this.#options;
    log.info({ from: from.name, sensor: item.sensor, time: item.time }, 'a sensor reports on its own health');
    metrics.health(item.sensor, health.message(saidBy(from, item)));
    return { status: 'health' };
  }

  #limit(): ItemAnswer {
    this.#options.metrics.refused('rate_limit');
    return limited;
  }

  /** Accepts one of Firebreak's own alerts, in the same way as a sensor's. */
  async receiveOwn(alert: Alert, from: AlertSender): Promise<ItemAnswer> {
    const known = this.#options.spool.incidentOf(alert.id);
    if (known !== undefined) return this.#duplicate(alert.id, known);
    return this.#receiveAlert({ kind: 'alert', alert, raw: new TextEncoder().encode(JSON.stringify(alert)) }, { from });
  }

  /** Keeps what was not accepted, so that it can be inspected, and sent again after a fix. */
  async #keepRejected(
    bytes: Uint8Array,
    reason: string,
    delivery: Delivery,
    why: 'unreadable' | 'forbidden' = 'unreadable',
  ): Promise<void> {
    const { spool, seal, log, metrics } = this.#options;
    const { name: from, node } = delivery.from;
    metrics.refused(why);
    if (delivery.replayed) return;
    log.warn({ from, reason, bytes: bytes.length }, 'an item was rejected');
    try {
      const raw = seal(bytes.subarray(0, keptOfRejected), sealedFor.rejected);
      await spool.rejectedItems.reject({
        at: new Date().toISOString(),
        reason,
        bytes: bytes.length,
        raw,
        from,
        ...(bytes.length > keptOfRejected && { cut: true }),
        ...(node !== undefined && { node }),
        ...(delivery.sensor && { sensor: delivery.sensor.name }),
      });
    } catch {
      log.error({ from, reason }, 'cannot keep a rejected alert');
    }
  }

  /** Accepts an alert that is not known yet; the caller has just checked that, which costs as much as reading a key from the disk. */
  async #receiveAlert(item: AlertItem, delivery: Delivery): Promise<ItemAnswer> {
    const { id } = item.alert;
    const same = this.#underway.get(id);
    if (same !== undefined) {
      const answer = await same;
      return answer.status === 'accepted' ? this.#duplicate(id, answer.incident) : answer;
    }
    const taking = this.#take(item, delivery);
    this.#underway.set(id, taking);
    try {
      return await taking;
    } finally {
      this.#underway.delete(id);
    }
  }

  #duplicate(id: string, incident: string): ItemAnswer {
    this.#options.metrics.duplicate();
    return { status: 'duplicate', id, incident };
  }

  async #forbid(raw: Uint8Array, reason: string, delivery: Delivery): Promise<ItemAnswer> {
    await this.#keepRejected(raw, reason, delivery, 'forbidden');
    return { status: 'forbidden', code: 403, reason };
  }

  async #take(item: AlertItem, delivery: Delivery): Promise<ItemAnswer> {
    const { resolver, seal, spool, dispatcher, screen, stamps, log, metrics, health } = this.#options;
    const { raw } = item;
    if (spool.isFull()) {
      metrics.refused('spool_full');
      return { status: 'unavailable', reason: 'the spool is full' };
    }
    const { id, sensor, severity } = item.alert;
    try {
      const now = new Date();
      const receivedAt = now.toISOString();
      // An alert that is sent again already has its time.
      const given = item.alert.againFor ? item.alert : timed(item.alert, { receivedAt, now: now.getTime() });
      const resolved = believed(delivery.from, given, resolver);
      const foreign = foreignNamespace(delivery.from.rule, item.alert, resolved);
      if (foreign !== undefined) return await this.#forbid(raw, foreign, delivery);
      const { subject, ambiguous } = resolved;
      stamps?.heard(resolved.alert);
      const incident = incidentIdOf(subject);
      if (ambiguous !== undefined) log.warn({ incident, alert: id, ambiguous }, 'cannot tell which pod an alert is about');
      const screening = screen.take({ alert: resolved.alert, incident, receivedAt });
      if (screening !== undefined) {
        const screened = await screening;
        health.alert(sensor, hostOf(delivery.from, resolved.alert.node));
        return screened;
      }
      const { alert, kept } = stamps?.stamp(resolved.alert, now.getTime(), delivery.from.name) ?? { alert: resolved.alert };
      // Does not capture the alert itself: in a storm, all of them would stay in memory while the disk is written.
      const { rule } = alert;
      const seen = { rule, sensor: alert.sensor, severity: alert.severity };
      const isAnswered = this.#options.isAnswered?.(alert) ?? true;
      await dispatcher.accept(incident, { alert, subject, receivedAt }, () => seal(raw, sealedFor.alert));
      await kept;
      metrics.accepted(severity);
      this.#options.storm?.saw(incident, seen);
      health.alert(sensor, hostOf(delivery.from, alert.node));
      if (!isAnswered) health.unanswered(sensor, rule);
      return { status: 'accepted', id, incident };
    } catch (error) {
      const code = codeOf(error);
      log.error({ code, alert: id }, 'cannot accept an alert');
      metrics.refused('not_durable');
      return { status: 'unavailable', reason: 'the alert could not be made durable' };
    }
  }
}

/** The node that a sign of life counts for: a sender that sees one node cannot hide that another node's sensor is silent. */
function hostOf({ node }: AlertSender, told: string | undefined): string | undefined {
  return node ?? told;
}

function sensorOf(item: Extract<ParsedItem, { readonly kind: 'alert' | 'ignored' }>): string {
  return item.kind === 'alert' ? item.alert.sensor : item.sensor;
}

function saidBy(from: AlertSender, said: SensorWord): SensorWord {
  const host = hostOf(from, said.host);
  return { sensor: said.sensor, text: said.text, ...(host !== undefined && { host }) };
}

/** Keeps both times. If they are too far apart, neither tells which of two pods with the same name was meant. */
function timed(alert: Alert, { receivedAt, now }: { readonly receivedAt: string; readonly now: number }): Alert {
  const skewMs = Math.abs(Date.parse(alert.time) - now);
  return skewMs <= mostSkewMs ? { ...alert, receivedAt } : { ...alert, receivedAt, clockSuspect: true };
}

/** If one item has to be sent again, so does the whole body: accepted items are recognised by their ids. */
function statusOf(items: readonly ItemAnswer[]): 200 | 403 | 422 | 429 | 503 {
  const has = (wanted: ItemAnswer['status']): boolean => items.some(({ status }) => status === wanted);
  if (has('unavailable')) return 503;
  if (has('limited')) return 429;
  if (!items.every(({ status }) => status === 'rejected' || status === 'forbidden')) return 200;
  return has('rejected') ? 422 : 403;
}
