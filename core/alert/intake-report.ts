import { compareTexts, isObject } from '../text/plain-json.ts';
import { isSeverity, type Severity, severities } from './severity.ts';

/** What an intake has heard from a sensor, across all its hosts. Times are ISO 8601, UTC. */
interface HeardSensor {
  readonly sensor: string;
  readonly alerts: number;
  /** How often it reported dropped events, and when it last did. */
  readonly drops: number;
  readonly droppedAt?: string;
  readonly heardAt: string;
  /** What the sensor's own settings leave out of its events. */
  readonly lacks: readonly string[];
}

/** A sensor that nodes are required to run. */
export interface WatchedSensor {
  readonly sensor: string;
  readonly nodes: number;
  readonly silent: number;
  /** Some of the silent nodes, longest first. */
  readonly longest: readonly { readonly node: string; readonly since: string }[];
}

/** An open incident, as far as a cell knows it by itself. */
export interface NamedIncident {
  readonly incident: string;
  readonly severity: Severity;
  /** Rules of all alerts that this cell has sent to it. Absent: more than a report can hold. */
  readonly rules?: readonly string[];
  /** Its first run, and when that started. Absent: another cell started it. */
  readonly started?: { readonly run: string; readonly at: string };
}

/** The incidents that a cell knows to be open, whatever Temporal lists. */
export interface OpenReport {
  readonly count: number;
  /** The worst first; if there are too many, only these. */
  readonly worst: readonly NamedIncident[];
  /** The most recently started of the others. Absent: there are no others. */
  readonly newest?: readonly NamedIncident[];
}

/** Requests for alerts without a token or signature that the intake knows: most likely of a sensor with an old one. Anyone can send such requests. */
export interface UnauthorizedRequests {
  /** The network address they came from, which may be a proxy's. */
  readonly from: string;
  /** The sensor whose address they used. Absent: the one for all. */
  readonly sensor?: string;
  readonly count: number;
  readonly since: string;
  readonly lastAt: string;
  /** Why the last one was refused. */
  readonly reason: string;
}

/** The health of an intake and its sensors, and the open incidents. Counts start when it began to listen. */
export interface IntakeReport {
  /** Which intake. */
  readonly source: string;
  readonly at: string;
  readonly since: string;
  readonly accepted: number;
  readonly duplicates: number;
  /** Number of rejected requests, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** The latest of those without a valid token. Absent: none in the last day. */
  readonly unauthorized?: readonly UnauthorizedRequests[];
  /** Number of alerts that each suppression has hidden so far. */
  readonly hidden: Readonly<Record<string, number>>;
  readonly sensors: readonly HeardSensor[];
  readonly watched: readonly WatchedSensor[];
  readonly open: OpenReport;
}

/** Maximum number of entries of each sort; the rest is left out, so that nobody can flood a report with made-up names. */
export const mostOf = {
  sensors: 30,
  lacks: 10,
  silentNodes: 10,
  hidden: 200,
  open: 100,
  newest: 100,
  rules: 10,
  unauthorized: 5,
} as const;
const mostIntakes = 8;
const longest = 120_000;
const longestText = 300;
/** A namespace, a kind and a name of any length that Kubernetes allows, and a uid. */
const longestIncident = 500;
/** Maximum size of what is said about open incidents besides their names. */
const longestOpen = 50_000;

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isText(value: unknown, atMost = longestText): value is string {
  return typeof value === 'string' && value.length <= atMost;
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) && !Number.isNaN(Date.parse(value));
}

function areCounts(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isCount);
}

function areAll(values: unknown, most: number, fits: (value: unknown) => boolean): boolean {
  return Array.isArray(values) && values.length <= most && values.every((one) => fits(one));
}

function isHeard(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value.sensor) &&
    isCount(value.alerts) &&
    isCount(value.drops) &&
    (value.droppedAt === undefined || isTime(value.droppedAt)) &&
    isTime(value.heardAt) &&
    areAll(value.lacks, mostOf.lacks, isText)
  );
}

function isWatched(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value.sensor) &&
    isCount(value.nodes) &&
    isCount(value.silent) &&
    areAll(value.longest, mostOf.silentNodes, (one) => isObject(one) && isText(one.node) && isTime(one.since))
  );
}

function isUnauthorized(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value.from) &&
    (value.sensor === undefined || isText(value.sensor)) &&
    isCount(value.count) &&
    isTime(value.since) &&
    isTime(value.lastAt) &&
    isText(value.reason)
  );
}

function isNamedIncident(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value.incident, longestIncident) &&
    isSeverity(value.severity) &&
    (value.rules === undefined || areAll(value.rules, mostOf.rules, (rule) => isText(rule, longestOpen))) &&
    (value.started === undefined || (isObject(value.started) && isText(value.started.run) && isTime(value.started.at)))
  );
}

function isOpenReport(value: unknown): value is OpenReport {
  return (
    isObject(value) &&
    isCount(value.count) &&
    areAll(value.worst, mostOf.open, isNamedIncident) &&
    (value.newest === undefined || areAll(value.newest, mostOf.newest, isNamedIncident))
  );
}

/** Builds the report of open incidents. Made-up rules and names cannot crowd an incident out: then less is said about each, and each one is asked. */
export function openReportOf(open: readonly NamedIncident[]): OpenReport {
  const named = open.filter(({ incident }) => incident.length <= longestIncident);
  const worstFirst = named.toSorted((a, b) => rankOf(a) - rankOf(b) || compareTexts(a.incident, b.incident));
  const worst = worstFirst.slice(0, mostOf.open);
  const newest = worstFirst
    .slice(mostOf.open)
    .filter(({ started }) => started !== undefined)
    .sort((a, b) => compareTexts(b.started?.at ?? '', a.started?.at ?? ''))
    .slice(0, mostOf.newest);
  let left = longestOpen - JSON.stringify(worst.map(nameOnly)).length;
  const said = worst.map((one) => {
    const more = JSON.stringify(one).length - JSON.stringify(nameOnly(one)).length;
    if (more > left) return nameOnly(one);
    left -= more;
    return one;
  });
  const others = newest.filter((one) => {
    left -= JSON.stringify(one).length + 1;
    return left >= 0;
  });
  return { count: open.length, worst: said, ...(others.length > 0 && { newest: others }) };
}

function nameOnly({ incident, severity }: NamedIncident): NamedIncident {
  return { incident, severity };
}

function rankOf({ severity }: NamedIncident): number {
  return severities.indexOf(severity);
}

/** Returns all incidents that the report names. */
export function namedIn({ worst, newest = [] }: OpenReport): readonly NamedIncident[] {
  return [...worst, ...newest];
}

/** Returns the worst severity that an open but unnamed incident can have. Undefined: there is none. */
export function worstUnnamed(open: OpenReport): Severity | undefined {
  if (open.count <= namedIn(open).length) return undefined;
  return (open.worst.length < mostOf.open ? undefined : open.worst.at(-1)?.severity) ?? 'critical';
}

/** Returns whether a signal's payload is a report: what is shown of it is read without further checks. */
export function isIntakeReport(value: unknown): value is IntakeReport {
  return (
    isObject(value) &&
    isText(value.source) &&
    isTime(value.at) &&
    isTime(value.since) &&
    isCount(value.accepted) &&
    isCount(value.duplicates) &&
    areCounts(value.refused) &&
    (value.unauthorized === undefined || areAll(value.unauthorized, mostOf.unauthorized, isUnauthorized)) &&
    areCounts(value.hidden) &&
    areAll(value.sensors, mostOf.sensors, isHeard) &&
    areAll(value.watched, mostOf.sensors, isWatched) &&
    isOpenReport(value.open) &&
    JSON.stringify(value).length <= longest
  );
}

/**
 * Returns the last report of each intake, newest first. An older report that arrives late changes nothing; if there are too many intakes, the most recently
 * heard ones stay.
 */
export function withIntakeReport(known: readonly IntakeReport[], report: IntakeReport): readonly IntakeReport[] {
  const before = known.find(({ source }) => source === report.source);
  if (before && before.at >= report.at) return known;
  const others = known.filter(({ source }) => source !== report.source);
  return [report, ...others].sort((a, b) => compareTexts(b.at, a.at)).slice(0, mostIntakes);
}

/**
 * Returns the refused requests of a report that belong on record: each reason at its 1st, 10th, 100th and so on since the intake began. With one record for
 * each request, strangers could create as many as they like.
 */
export function newlyRefused(known: readonly IntakeReport[], report: IntakeReport): Readonly<Record<string, number>> {
  const before = known.find(({ source }) => source === report.source);
  if (before && before.at >= report.at) return {};
  const earlier = before?.since === report.since ? before.refused : {};
  const digits = (count = 0): number => (count === 0 ? 0 : String(count).length);
  return Object.fromEntries(Object.entries(report.refused).filter(([reason, count]) => digits(count) > digits(earlier[reason])));
}

/** Milliseconds without a report after which an intake counts as away. */
export const awayAfterMs = 15 * 60_000;

/** The state of a sensor, combined from all present intakes. */
interface SensorState {
  readonly sensor: string;
  readonly drops: number;
  readonly droppedAt: string | null;
  /** Null: not heard from since the intakes began. */
  readonly heardAt: string | null;
  readonly lacks: string[];
  /** Null: nobody has said which nodes must run it. */
  readonly watched: { nodes: number; silent: number; longest: { node: string; since: string }[] } | null;
}

/** By name. Each node is heard by one intake or another: it is silent if no intake hears it. */
export function sensorStates(reports: readonly IntakeReport[]): readonly SensorState[] {
  const heard = Map.groupBy(
    reports.flatMap(({ sensors }) => sensors),
    ({ sensor }) => sensor,
  );
  const watched = Map.groupBy(
    reports.flatMap((report) => report.watched),
    ({ sensor }) => sensor,
  );
  return [...new Set([...heard.keys(), ...watched.keys()])].sort().map((sensor) => {
    const said = heard.get(sensor) ?? [];
    const fewest = (watched.get(sensor) ?? []).reduce<WatchedSensor | undefined>(
      (best, one) => (best === undefined || one.silent < best.silent ? one : best),
      undefined,
    );
    return {
      sensor,
      drops: said.reduce((all, { drops }) => all + drops, 0),
      droppedAt: latestOf(said.map(({ droppedAt }) => droppedAt)),
      heardAt: latestOf(said.map(({ heardAt }) => heardAt)),
      lacks: [...new Set(said.flatMap(({ lacks }) => lacks))],
      watched: fewest ? { nodes: fewest.nodes, silent: fewest.silent, longest: [...fewest.longest] } : null,
    };
  });
}

function latestOf(times: readonly (string | undefined)[]): string | null {
  return times.reduce<string | null>((last, one) => (one !== undefined && (last === null || one > last) ? one : last), null);
}
