import type { Notice } from '../cards/card.ts';
import { isObject } from '../text/plain-json.ts';

/** A workload with many alerts in a storm. `count` is a lower bound. */
interface StormTalker {
  /** The incident's subject, such as `shop/Deployment/cart`. */
  readonly workload: string;
  readonly rule: string;
  readonly sensor: string;
  readonly count: number;
}

/** A storm across many workloads, as one intake sees it. Times are ISO 8601, UTC. */
export interface StormReport {
  /** Which intake. */
  readonly source: string;
  readonly state: 'on' | 'over';
  readonly began: string;
  readonly at: string;
  /** Alerts accepted since it began. */
  readonly alerts: number;
  readonly critical: number;
  readonly perSecond: number;
  /** Approximate: estimated, not remembered. */
  readonly workloads: number;
  /** Most alerts first. */
  readonly top: readonly StormTalker[];
}

/** The storm of a cluster: the last report of each of its intakes. */
export interface StormState {
  readonly began: string;
  readonly reports: readonly StormReport[];
  /** Totals of intakes that restarted their count: after a restart, or a short calm. */
  readonly earlier: { readonly alerts: number; readonly critical: number };
}

export const mostTalkers = 10;
const mostSources = 8;
const longest = 16_000;

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 40 && !Number.isNaN(Date.parse(value));
}

function isTalker(value: unknown): boolean {
  if (!isObject(value) || !isCount(value.count)) return false;
  return [value.workload, value.rule, value.sensor].every((text) => typeof text === 'string');
}

/** Returns whether a signal's payload is a report: anyone who can reach Temporal can send anything. */
export function isStormReport(value: unknown): value is StormReport {
  return (
    isObject(value) &&
    typeof value.source === 'string' &&
    value.source.length <= 200 &&
    (value.state === 'on' || value.state === 'over') &&
    isTime(value.began) &&
    isTime(value.at) &&
    [value.alerts, value.critical, value.perSecond, value.workloads].every(isCount) &&
    Array.isArray(value.top) &&
    value.top.length <= mostTalkers &&
    value.top.every(isTalker) &&
    JSON.stringify(value).length <= longest
  );
}

/** Returns the storm updated with an intake's report. Undefined if there is no storm, and this report begins none. */
export function withReport(storm: StormState | undefined, report: StormReport): StormState | undefined {
  if (storm === undefined) {
    return report.state === 'on' ? { began: report.began, reports: [report], earlier: { alerts: 0, critical: 0 } } : undefined;
  }
  const others = storm.reports.filter(({ source }) => source !== report.source);
  if (others.length >= mostSources) return storm;
  const before = storm.reports.find(({ source }) => source === report.source);
  // An older report is no news, whoever sends it again.
  if (before && Date.parse(before.at) > Date.parse(report.at)) return storm;
  const { alerts, critical } = storm.earlier;
  const countsAnew = before !== undefined && before.began !== report.began;
  const earlier = countsAnew ? { alerts: alerts + before.alerts, critical: critical + before.critical } : storm.earlier;
  return { ...storm, reports: [...others, report], earlier };
}

/** Milliseconds without a report after which an intake no longer counts. */
const lostAfterMs = 10 * 60_000;

export function isLate({ at }: Pick<StormReport, 'at'>, now: number): boolean {
  return now - Date.parse(at) > lostAfterMs;
}

export function isStormOver({ reports }: StormState, now: number): boolean {
  return reports.every((report) => report.state === 'over' || isLate(report, now));
}

/** Totals over all intakes. */
export function stormTotals({ reports, earlier }: StormState): Omit<StormReport, 'source' | 'state' | 'began'> {
  const sum = (of: (report: StormReport) => number): number => reports.reduce((total, report) => total + of(report), 0);
  const counts = new Map<string, StormTalker>();
  for (const talker of reports.flatMap(({ top }) => top)) {
    const key = `${talker.workload}\n${talker.rule}\n${talker.sensor}`;
    counts.set(key, { ...talker, count: talker.count + (counts.get(key)?.count ?? 0) });
  }
  return {
    at: [...reports.map((report) => report.at)].sort().at(-1) ?? '',
    alerts: earlier.alerts + sum(({ alerts }) => alerts),
    critical: earlier.critical + sum(({ critical }) => critical),
    perSecond: sum(({ state, perSecond }) => (state === 'on' ? perSecond : 0)),
    // Sensors stay with one intake, workloads need not: at least as many as the intake that sees most.
    workloads: Math.max(0, ...reports.map(({ workloads }) => workloads)),
    top: [...counts.values()].sort((a, b) => b.count - a.count).slice(0, mostTalkers),
  };
}

/** Returns what people see of a storm: one message, updated until it is over. */
export function stormNotice(storm: StormState, { cluster, over }: { readonly cluster: string; readonly over: boolean }): Notice {
  const { at, alerts, critical, perSecond, workloads, top } = stormTotals(storm);
  return {
    key: `storm/${cluster}/${storm.began}`,
    title: `Alert storm in ${cluster}${over ? ' (over)' : ''}`,
    time: at,
    lines: [
      over
        ? `${alerts} alerts, ${critical} of them critical.`
        : `${alerts} alerts, ${critical} of them critical; ${perSecond} a second now.`,
      `About ${workloads} workloads. Critical alerts have their own path and are handled first.`,
    ],
    table: top.map(({ workload, rule, sensor, count }) => `${count} × ${rule} (${sensor}) on ${workload}`),
    tableTitle: 'Most frequent',
  };
}

/** Returns the final message about a storm: a message of its own. */
export function stormOverNotice(storm: StormState, { cluster, now }: { readonly cluster: string; readonly now: string }): Notice {
  const { alerts, critical, workloads } = stormTotals(storm);
  const minutes = Math.max(1, Math.round((Date.parse(now) - Date.parse(storm.began)) / 60_000));
  return {
    key: `storm/${cluster}/${storm.began}/over`,
    title: `The alert storm in ${cluster} is over`,
    time: now,
    lines: [`${alerts} alerts on about ${workloads} workloads in ${minutes} min, ${critical} of them critical.`],
    table: [],
  };
}
