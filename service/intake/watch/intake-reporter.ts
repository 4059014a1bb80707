import { type IntakeReport, mostOf, namedIn, type OpenReport } from '../../../core/alert/intake-report.ts';
import { ownSensor } from '../../../core/alert/own-alerts.ts';
import { compareTexts } from '../../../core/text/plain-json.ts';
import { repeatAsItSays } from '../../process/repeat.ts';
import type { IntakeMetrics } from '../metrics.ts';
import type { HiddenAlerts } from '../spool/hidden-alerts.ts';
import type { SensorHealth, SensorReport } from './sensor-health.ts';
import type { SilenceWatch } from './silence.ts';
import type { UnauthorizedCounts } from './unauthorized-requests.ts';

interface ReporterParts {
  /** Identifies this intake. */
  readonly source: string;
  readonly metrics: Pick<IntakeMetrics, 'totals'>;
  readonly health: Pick<SensorHealth, 'report'>;
  readonly unauthorized?: Pick<UnauthorizedCounts, 'latest'>;
  readonly hidden: Pick<HiddenAlerts, 'counts'>;
  readonly silence: Pick<SilenceWatch, 'view'> | undefined;
  readonly open: () => OpenReport;
  /** Resolves to false if the report did not arrive. Never rejects. */
  readonly tell: (report: IntakeReport) => Promise<boolean>;
  readonly now?: () => number;
  /** Milliseconds after which a report that did not arrive is sent again. */
  readonly tellAgainMs?: number | undefined;
}

const lookEveryMs = 60_000;
/** Each report is a signal to a workflow that never ends, so reports in which only counters grow can wait. */
const tellEveryMs = 5 * 60_000;
const usualTellAgainMs = 10_000;
const longestText = 300;

/**
 * Reports the health of the intake and its sensors, and which incidents are open: within a minute if a sensor falls silent, drops events, something is refused,
 * or an incident has begun or has news; otherwise every five minutes.
 */
export class IntakeReporter {
  readonly #parts: ReporterParts;
  readonly #now: () => number;
  readonly #since: string;
  #told = '';
  #toldAt = Number.NEGATIVE_INFINITY;
  /** What was last reported of each open incident. */
  #toldOpen: ReadonlyMap<string, string> = new Map();

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    this.#since = new Date(this.#now()).toISOString();
  }

  start(signal: AbortSignal): void {
    void repeatAsItSays({ work: () => this.look(), signal });
  }

  /** Checks once; returns the milliseconds until the next check. */
  async look(): Promise<number> {
    const report = await this.#report();
    const { refused, watched, sensors, open } = report;
    const state = JSON.stringify([refused, watched, sensors.map(({ sensor, drops, lacks }) => [sensor, drops, lacks])]);
    const now = this.#now();
    const named = new Map(namedIn(open).map((one) => [one.incident, JSON.stringify(one)]));
    const isKnown = state === this.#told && [...named].every(([incident, said]) => this.#toldOpen.get(incident) === said);
    if (isKnown && now - this.#toldAt < tellEveryMs) return lookEveryMs;
    if (!(await this.#parts.tell(report))) return this.#parts.tellAgainMs ?? usualTellAgainMs;
    this.#told = state;
    this.#toldOpen = named;
    this.#toldAt = now;
    return lookEveryMs;
  }

  async #report(): Promise<IntakeReport> {
    const { source, metrics, health, unauthorized, hidden, silence, open } = this.#parts;
    const strangers = unauthorized?.latest() ?? [];
    return {
      source,
      at: new Date(this.#now()).toISOString(),
      since: this.#since,
      ...(await metrics.totals()),
      ...(strangers.length > 0 && { unauthorized: strangers }),
      hidden: Object.fromEntries([...hidden.counts()].slice(0, mostOf.hidden).map(([by, { count }]) => [by, count])),
      sensors: heardSensors(health.report()),
      watched: (silence?.view() ?? []).slice(0, mostOf.sensors),
      open: open(),
    };
  }
}

/** Merges all hosts of a sensor into one; if there are too many names, keeps the most recent. */
function heardSensors(reports: readonly SensorReport[]): IntakeReport['sensors'] {
  const last = (times: readonly (string | undefined)[]): string => times.reduce<string>((a, b = '') => (b > a ? b : a), '');
  return [...Map.groupBy(reports, ({ sensor }) => sensor)]
    .filter(([sensor]) => sensor !== ownSensor)
    .map(([sensor, hosts]) => {
      const sum = (of: (host: SensorReport) => number): number => hosts.reduce((all, host) => all + of(host), 0);
      const droppedAt = last(hosts.map((host) => host.droppedAt));
      return {
        sensor: sensor.slice(0, longestText),
        alerts: sum(({ alerts }) => alerts),
        drops: sum(({ drops }) => drops),
        ...(droppedAt !== '' && { droppedAt }),
        heardAt: last(hosts.map(({ lastSeenAt }) => lastSeenAt)),
        lacks: [...new Set(hosts.flatMap(({ lacks = [] }) => lacks.map((one) => one.slice(0, longestText))))].slice(
          0,
          mostOf.lacks,
        ),
      };
    })
    .sort((a, b) => compareTexts(b.heardAt, a.heardAt))
    .slice(0, mostOf.sensors)
    .sort((a, b) => compareTexts(a.sensor, b.sensor));
}
