import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics, MetricsRead } from '../../integrations/http-door.ts';
import { countUnhandled } from '../process/unhandled-rejections.ts';
import { gaugeMissingRights, type MissingByPool } from '../rbac/missing-report.ts';
import { type HeadStartResult, headStartResults } from './send/head-start.ts';

/** A small set of reasons why an item was not accepted: labels must not grow with what strangers send. */
const refusalReasons = ['unreadable', 'forbidden', 'rate_limit', 'spool_full', 'not_durable', 'unauthorized', 'request'] as const;
type RefusalReason = (typeof refusalReasons)[number];

/** Sources of the gauges, read on each scrape. */
export interface IntakeGauges {
  readonly spoolBytes: () => number;
  readonly spoolShare: () => number;
  readonly oldestSeconds: () => number;
  readonly openLines: () => number;
  readonly refusedForGood: () => number;
  readonly storm?: { readonly isOn: boolean; readonly perSecond: number };
  readonly orphans: () => number;
  readonly standingStill: () => number;
  readonly releasesRefused: () => number;
  readonly missingRights?: (() => MissingByPool) | undefined;
}

/** The intake's metrics in Prometheus format. No label holds text from an alert. */
export class IntakeMetrics implements Metrics {
  readonly #registry = new Registry();
  /** Metrics of the process, which another listener serves as well. */
  readonly #ofProcess = new Registry();
  /** Counts by severity since the last scrape: a counter checks its labels on every increment. */
  readonly #acceptedSince = new Map<string, number>();
  readonly #accepted: Counter<'severity'>;
  readonly #duplicates: Counter;
  readonly #hidden: Counter<'by'>;
  readonly #health: Counter<'sensor'>;
  readonly #drops: Counter<'sensor'>;
  readonly #refused: Counter<'reason'>;
  readonly #calls: Counter<'kind' | 'result'>;
  readonly #headStarts: Counter<'result'>;
  readonly #durable: Histogram;
  readonly #contained: Histogram;

  constructor(gauges: IntakeGauges) {
    const registers = [this.#registry];
    const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []): Counter<Label> =>
      new Counter({ name, help, labelNames, registers });
    const acceptedSince = this.#acceptedSince;
    this.#accepted = new Counter({
      name: 'firebreak_intake_alerts_accepted_total',
      help: 'Alerts that were stored durably',
      labelNames: ['severity'],
      registers,
      collect() {
        for (const [severity, count] of acceptedSince) this.inc({ severity }, count);
        acceptedSince.clear();
      },
    });
    this.#duplicates = counter('firebreak_intake_alerts_duplicate_total', 'Alerts that were known already');
    this.#hidden = counter('firebreak_intake_alerts_hidden_total', 'Alerts that started nothing, by suppression', ['by']);
    this.#health = counter('firebreak_intake_sensor_messages_total', 'Messages of sensors about themselves', ['sensor']);
    this.#drops = counter('firebreak_intake_sensor_drops_total', 'Messages of sensors that report dropped events', ['sensor']);
    this.#refused = counter('firebreak_intake_refused_total', 'Items or requests that were not accepted', ['reason']);
    this.#calls = counter('firebreak_intake_temporal_calls_total', 'Starts and signals to Temporal', ['kind', 'result']);
    this.#headStarts = counter('firebreak_head_starts_total', 'Containments begun at the same time as their incident', [
      'result',
    ]);
    // Start at zero: Prometheus sees no increase in a counter that begins at one, so the first failure would go unseen.
    for (const reason of refusalReasons) this.#refused.inc({ reason }, 0);
    for (const result of headStartResults) this.#headStarts.inc({ result }, 0);
    this.#durable = new Histogram({
      name: 'firebreak_intake_durable_seconds',
      help: 'From reading a body until all its alerts are durable',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
      registers,
    });
    this.#contained = new Histogram({
      name: 'firebreak_contain_seconds',
      help: 'From accepting an alert until its pod is contained, for pods that are contained at once',
      buckets: [0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300],
      registers,
    });
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    gauge('firebreak_intake_spool_bytes', 'Bytes of alerts that Temporal does not have yet', gauges.spoolBytes);
    gauge('firebreak_intake_spool_used_ratio', 'Share of the spool that is used; at 1 alerts are refused', gauges.spoolShare);
    gauge('firebreak_intake_oldest_waiting_seconds', 'Upper bound of the age of the oldest waiting alert', gauges.oldestSeconds);
    gauge('firebreak_intake_waiting_incidents', 'Incidents with waiting alerts', gauges.openLines);
    gauge('firebreak_intake_refused_by_temporal', 'Alerts set aside because Temporal refused them', gauges.refusedForGood);
    gauge('firebreak_contained_without_incident', 'Pods in quarantine that no incident holds', gauges.orphans);
    gauge('firebreak_incidents_standing_still', 'Open incidents that make no progress', gauges.standingStill);
    gauge(
      'firebreak_releases_refused',
      'Containments whose release is refused and tried again, in any pool',
      gauges.releasesRefused,
    );
    const { storm, missingRights } = gauges;
    if (missingRights) gaugeMissingRights(missingRights, [this.#ofProcess]);
    if (storm) {
      gauge('firebreak_intake_storm', '1 while a storm across many workloads is on', () => (storm.isOn ? 1 : 0));
      gauge(
        'firebreak_intake_accepted_per_second',
        'Alerts accepted per second, over the last ten seconds',
        () => storm.perSecond,
      );
    }
    countUnhandled([this.#ofProcess]);
    gauge('process_resident_memory_bytes', 'Resident memory, the mapped spool included', () => process.memoryUsage.rss());
  }

  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;

  accepted(severity: string): void {
    this.#acceptedSince.set(severity, (this.#acceptedSince.get(severity) ?? 0) + 1);
  }

  duplicate(): void {
    this.#duplicates.inc();
  }

  /** @param by the id of a suppression, of which there are few, or `own-steps` */
  hid(by: string): void {
    this.#hidden.inc({ by });
  }

  /** @param ofDrops whether the message reports events that the sensor dropped */
  health(sensor: string, ofDrops: boolean): void {
    this.#health.inc({ sensor });
    if (ofDrops) this.#drops.inc({ sensor });
  }

  refused(reason: RefusalReason): void {
    this.#refused.inc({ reason });
  }

  call(kind: 'start' | 'signal', result: string): void {
    this.#calls.inc({ kind, result });
  }

  headStart(result: HeadStartResult, seconds: number): void {
    this.#headStarts.inc({ result });
    if (result === 'contained') this.#contained.observe(seconds);
  }

  durable(seconds: number): void {
    this.#durable.observe(seconds);
  }

  /** Number of accepted and refused items since the start. */
  async totals(): Promise<{
    readonly accepted: number;
    readonly duplicates: number;
    readonly refused: Readonly<Record<string, number>>;
  }> {
    const [accepted, duplicates, refused] = await Promise.all([
      this.#accepted.get(),
      this.#duplicates.get(),
      this.#refused.get(),
    ]);
    const sum = (values: readonly { readonly value: number }[]): number => values.reduce((all, { value }) => all + value, 0);
    return {
      accepted: sum(accepted.values),
      duplicates: sum(duplicates.values),
      refused: Object.fromEntries(
        refused.values.flatMap(({ value, labels }) => (value > 0 ? [[String(labels.reason), value]] : [])),
      ),
    };
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Includes the metrics of the process, which the status listener serves as well. */
  async withProcess(): Promise<string> {
    return `${await this.text()}\n${await this.#ofProcess.metrics()}`;
  }

  read(): Promise<MetricsRead> {
    return this.#registry.getMetricsAsJSON();
  }
}
