import { setTimeout as sleep } from 'node:timers/promises';
import { ConcurrencyLimiter } from '../../../activities/concurrency-limiter.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { type Severity, severities } from '../../../core/alert/severity.ts';
import type { SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import { headStartWithinMs } from '../../../core/incident/head-start.ts';
import { incidentIdOf } from '../../../core/incident/incident.ts';
import { RepeatedTrouble } from '../../temporal/repeated-trouble.ts';
import type { IntakeLog } from '../log.ts';
import type { SpoolEntry } from '../spool/entry.ts';
import type { SpooledBatch } from './batch.ts';
import { ContainBeforeStart, type ContainBeforeStartOptions } from './contain-before-start.ts';
import type { IncidentGateway } from './incident-gateway.ts';
import type { IncidentLine } from './incident-line.ts';
import { Pressure } from './pressure.ts';
import { RecentCount } from './recent-count.ts';
import { startOptionsOf } from './start-options.ts';

const callsAtOnce = 32;
/** Concurrent calls at the start of a storm, until it is clear how many the service can handle. */
const callsAtFirst = 2;
/** Signals per second above which windows grow, and the maximum growth factor. */
const callsWithoutCongestion = 20;
const longestCongestion = 50;
/**
 * Maximum milliseconds that an incident's start waits for a busy cell: if its pod is contained, and otherwise if it is not critical, because others wait behind
 * it.
 */
const containedWaitMs = 30_000;
const otherWaitMs = 5_000;
const lookAgainMs = 50;
/** If no call has failed for this long, the outage is over. */
const quietMs = 10_000;

export interface DeliveryOptions extends ContainBeforeStartOptions {
  readonly gateway: IncidentGateway;
  /** Resolves the subject again for an alert that waited for long. */
  readonly resolver?: SubjectResolver | undefined;
  readonly log: IntakeLog;
  /** Whether the cell is busy with the incidents that it has begun. Absent: unknown. */
  readonly isBusy?: (() => boolean) | undefined;
  /** Called for every call to Temporal. */
  readonly called?: (kind: 'start' | 'signal', result: string) => void;
}

/** `ended`: the run is over and accepted nothing; the batch may be rebuilt. `again`: the outcome is unknown. */
export type Delivered = 'sent' | 'ended' | 'again' | { readonly refused: string };

/**
 * Delivers one batch to its incident: first begins the immediate containment, then calls Temporal. Critical batches have their own lane; in the other lane the
 * more severe goes first.
 */
export class Delivery {
  readonly #gateway: IncidentGateway;
  readonly #resolver: SubjectResolver | undefined;
  readonly #log: IntakeLog;
  readonly #called: DeliveryOptions['called'];
  readonly #contain: ContainBeforeStart;
  readonly #isBusy: () => boolean;
  readonly #pressure = new Pressure();
  readonly #limiter = new ConcurrencyLimiter(callsAtOnce, {
    adaptive: true,
    first: callsAtFirst,
    yields: () => this.#pressure.isHigh,
  });
  readonly #criticalLimiter = new ConcurrencyLimiter(callsAtOnce);
  readonly #signals = new RecentCount(1_000);
  readonly #trouble = new RepeatedTrouble();

  constructor({ gateway, resolver, log, called, headStart, began, stuckMs, isBusy = () => false }: DeliveryOptions) {
    this.#gateway = gateway;
    this.#resolver = resolver;
    this.#log = log;
    this.#called = called;
    this.#contain = new ContainBeforeStart({ headStart, began, stuckMs });
    this.#isBusy = isBusy;
  }

  /** Begins the immediate containment for these alerts. */
  containFirst(entries: readonly SpoolEntry[], durable: Promise<unknown>): void {
    this.#contain.before(entries, durable);
  }

  /** Records how many milliseconds it took to make an alert durable: non-critical work yields to senders that wait for their answers. */
  accepted(tookMs: number): void {
    this.#pressure.took(tookMs);
  }

  /** Whether a call would run without waiting. */
  isFree(severity: Severity): boolean {
    return this.#limiterOf(severity).isFree;
  }

  /** Sends an alert while it is being written to the spool. */
  async sendBeforeWrite(
    line: IncidentLine,
    {
      spooled,
      entry,
      durable,
    }: { readonly spooled: SpooledBatch; readonly entry: SpoolEntry; readonly durable: Promise<unknown> },
  ): Promise<Delivered> {
    const { severity } = entry.alert;
    // Does not take a place in the lane as well: a call that holds one there waits for the starts that come afterwards.
    if (this.#contain.before([entry], durable))
      return this.#contain.afterwards(severity, () => this.#call(line, spooled, containedWaitMs));
    return this.inTurn(line.id, severity, () => this.#call(line, spooled));
  }

  /** Waits for a place in the lane, behind more severe work, and runs there. */
  inTurn<T>(incident: string, severity: Severity, work: () => Promise<T>): Promise<T> {
    return this.#limiterOf(severity).run(work, { key: incident, rank: severities.indexOf(severity) });
  }

  /** A more severe alert has arrived for an incident: if the incident waits for its turn, it moves up to the place of that severity. */
  raise(incident: string, severity: Severity): void {
    this.#limiter.raise(incident, severities.indexOf(severity), this.#limiterOf(severity));
  }

  #limiterOf(severity: Severity): ConcurrencyLimiter {
    return severity === 'critical' ? this.#criticalLimiter : this.#limiter;
  }

  /** Sends what waited in the spool. Must be called in turn. */
  async fromSpool(line: IncidentLine, spooled: SpooledBatch): Promise<Delivered> {
    const current = asOfNow(spooled, { resolver: this.#resolver, now: Date.now() });
    const { subject, since: receivedAt } = current;
    const waited = current.batch.alerts.map((alert) => ({ alert, subject, receivedAt }));
    if (this.#contain.before(waited, Promise.resolve()))
      return this.#contain.afterwards(spooled.severity, () => this.#call(line, current, containedWaitMs));
    return this.#call(line, current);
  }

  /** Repetitions are gathered for longer while many incidents have some, because Temporal is loaded by the calls of all of them together. */
  windowOf(line: IncidentLine): number {
    const congestion = Math.min(longestCongestion, this.#signals.perWindow / callsWithoutCongestion);
    return line.windowMs * Math.max(1, congestion);
  }

  /**
   * Waits until the cell has room for one more incident. Incidents that have begun must reach their question first: if more are active than the cell holds in
   * memory, each task reads its incident again, and hundreds of them keep each other from ever asking.
   */
  async #untilRoom(withinMs: number): Promise<void> {
    const until = performance.now() + withinMs;
    while (this.#isBusy() && performance.now() < until) await sleep(lookAgainMs, undefined, { ref: false });
  }

  async #call(
    line: IncidentLine,
    spooled: SpooledBatch,
    waitMs = spooled.severity === 'critical' ? 0 : otherWaitMs,
  ): Promise<Delivered> {
    let runsElsewhere = false;
    while (!runsElsewhere) {
      if (!line.isOpen) {
        const { subject, batch } = spooled;
        await this.#untilRoom(waitMs);
        const started = await this.#gateway.start(line.id, { subject, batch }, startOptionsOf(spooled));
        this.#called?.('start', started.kind);
        if (started.kind === 'unavailable') return this.#unanswered(line, started.detail);
        if (started.kind === 'refused') return { refused: started.detail };
        line.opened(started.kind === 'started' ? started.run : undefined);
        if (started.kind === 'started') return this.#answered();
        runsElsewhere = true;
      }
      this.#signals.add();
      const signalled = await this.#gateway.signal(line.id, spooled.batch);
      this.#called?.('signal', signalled.kind);
      if (signalled.kind === 'signalled') return this.#answered();
      if (signalled.kind === 'limit') return this.#wait(line, 'the run accepts no more signals');
      if (signalled.kind === 'unavailable') return this.#unanswered(line, signalled.detail);
      line.ended();
      if (!spooled.alone && !runsElsewhere) return 'ended';
    }
    return this.#wait(line, 'the run is between its end and its next start');
  }

  #answered(): 'sent' {
    if ((this.#trouble.quietForMs() ?? 0) >= quietMs)
      this.#log.info({ ...this.#trouble.over() }, 'Temporal accepts all batches again');
    return 'sent';
  }

  #wait(line: IncidentLine, detail: string): 'again' {
    line.failures += 1;
    if (line.failures === 1) this.#log.warn({ incident: line.id, detail }, 'Temporal did not accept a batch; sending it again');
    return 'again';
  }

  /** Logged once for all incidents together, not for each of thousands: it is one problem. */
  #unanswered(line: IncidentLine, detail: string): 'again' {
    line.failures += 1;
    const said = this.#trouble.met(detail);
    if (said) this.#log.warn({ incident: line.id, detail, ...said }, 'Temporal did not accept a batch; sending it again');
    return 'again';
  }
}

/**
 * Returns the batch as it must be handled now. An alert that waited in the spool for more than 15 minutes describes an earlier state of the cluster: its
 * subject is resolved again, and nothing is done for it without people.
 *
 * @param now milliseconds since 1970
 */
function asOfNow(
  spooled: SpooledBatch,
  { resolver, now }: { readonly resolver: SubjectResolver | undefined; readonly now: number },
): SpooledBatch {
  const isLate = ({ receivedAt }: Alert): boolean => now - Date.parse(receivedAt ?? spooled.since) > headStartWithinMs;
  const { batch } = spooled;
  if (!batch.alerts.some(isLate)) return spooled;
  const incident = incidentIdOf(spooled.subject);
  const alerts = batch.alerts.map((alert) => {
    if (!isLate(alert)) return alert;
    const minutes = Math.round((now - Date.parse(alert.receivedAt ?? spooled.since)) / 60_000);
    const waited = `the alert waited for ${minutes} minutes before it could be handled`;
    const resolved = resolver?.resolve(alert);
    // The incident stays the same, because its id is stored with the alert. People must know what else has changed.
    const moved = resolved !== undefined && incidentIdOf(resolved.subject) !== incident;
    const doubt = moved ? `${waited}, and it would now be about ${incidentIdOf(resolved.subject)}` : waited;
    return { ...(moved ? alert : (resolved?.alert ?? alert)), doubt: alert.doubt ?? doubt };
  });
  return { ...spooled, batch: { ...batch, alerts } };
}
