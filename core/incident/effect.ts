import { blockEgress, cordonNode, isolateNamespace, revokeServiceAccount, suspendCronJob } from '../actions/index.ts';
import { type Severity, severities } from '../alert/severity.ts';
import { counted } from '../text/counted.ts';
import { lastPart } from '../text/object-name.ts';
import { addConnections, type ConnectionCount, connectionsText, type LookedAtConnections } from './connections.ts';
import type { IncidentRef } from './incident.ts';

/** What the cell is asked about: a containment, by the key of its step. The cell knows everything else itself. */
export interface AskedEffect {
  readonly incident: IncidentRef;
  readonly step: string;
  /** Another pool counts the pods' open connections on their nodes, so the cell need not report them as unknown. */
  readonly countsConnections?: true;
}

/** What was contained, if it is not pods: an account (`system:serviceaccount:…`), a node, a namespace, a workload (`deployment/shop/cart`). */
export interface EffectScope {
  readonly kind: 'account' | 'node' | 'namespace' | 'workload';
  readonly name: string;
}

/** Actions that contain something other than pods, and what they contain. For other actions, nothing that the cell watches shows their effect. */
export const lookedAtScopes: Readonly<Record<string, EffectScope['kind']>> = {
  [revokeServiceAccount.name]: 'account',
  [cordonNode.name]: 'node',
  [isolateNamespace.name]: 'namespace',
  [blockEgress.name]: 'workload',
  [suspendCronJob.name]: 'workload',
};

export interface PodsReady {
  readonly ready: number;
  readonly pods: number;
}

/** Readiness just before the containment, including what was contained, and now, without it. */
interface ReadyChange {
  /** Absent: the cell does not remember. */
  readonly before?: PodsReady;
  readonly now: PodsReady;
}

/** Based on alerts, unless the containment itself has problems. `unknown`: this cell does not know the containment, or not its current state. */
const effectOutcomes = ['no-alerts', 'alerts-stopped', 'alerts-continue', 'not-in-force', 'unknown'] as const;
export type EffectOutcome = (typeof effectOutcomes)[number];

/**
 * What is found some time after a quarantine: whether it helped, and what it cost. It decides nothing. Alerts are those that the cell itself has accepted;
 * connections are counted by the forensics pool; everything else is what the cell watches on the API server.
 */
export interface EffectLook {
  readonly outcome: EffectOutcome;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** The API server has not answered for a while: alerts were counted, but nothing else is known. */
  readonly isStale?: true;
  /** When the cell began to count; absent if it does not know the containment. */
  readonly since?: string;
  /** Absent: a quarantine of pods. */
  readonly scope?: EffectScope;
  /** Alerts of the contained pods, or of whatever is contained, since then. */
  readonly alerts?: {
    readonly counts: Readonly<Partial<Record<Severity, number>>>;
    /** Absent: none came. */
    readonly lastAt?: string;
    /** Number of alerts that name an address or a domain, as those about connections do. Absent: none. */
    readonly addressed?: number;
  };
  /** Problems with the containment. */
  readonly problems: readonly string[];
  /** Contained pods that still exist, and how many there were. */
  readonly pods?: { readonly there: number; readonly of: number };
  /** Container restarts since then. Absent: the number before is not known. */
  readonly restarts?: number;
  /** The workload that the pods were taken from. */
  readonly workload?: ReadyChange & { readonly name: string };
  /** Pods behind the Services that had selected the contained ones. Absent: there are none. */
  readonly neighbours?: ReadyChange & {
    readonly services: readonly string[];
    /** Restarts of their containers since then. Absent: none. */
    readonly restarts?: number;
  };
  /** Warning Events of the namespace since then, the most frequent reasons first. Absent: they could not be read. */
  readonly warnings?: { readonly total: number; readonly reasons: Readonly<Record<string, number>> };
  /** Open connections of the pods, as their nodes report them. Absent: they were not counted, or no node knows. */
  readonly connections?: LookedAtConnections;
  /** What could not be determined, in words. */
  readonly unknown: readonly string[];
}

/** A containment that is to be checked again, as its incident remembers it. */
export interface PendingEffect {
  readonly step: string;
  readonly lease: string;
  /** Milliseconds since 1970: when the containment was applied. */
  readonly from: number;
  /** Milliseconds after `from`, in ascending order. */
  readonly due: readonly number[];
}

/** `10 minutes`, `1 hour`. */
export function afterText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  const [count, unit] = minutes > 0 && minutes % 60 === 0 ? [minutes / 60, 'hour'] : [minutes, 'minute'];
  return counted(count, unit);
}

/** The effect and its cost in a few short sentences, without what could not be determined: see `unknownText`. */
export function effectText(look: EffectLook): string {
  const sentences = [
    alertsText(look),
    forceText(look),
    connectionsText(look.connections),
    restartsText(look),
    servedText(look),
    neighboursText(look),
    warningsText(look),
  ];
  return sentences.filter((text) => text !== '').join(' ');
}

/** Adds the connections counted at its pods. */
export function withConnections(look: EffectLook, counts: readonly ConnectionCount[], pods: number): EffectLook {
  const { connections, unknown } = addConnections(counts, pods);
  return { ...look, ...(connections && { connections }), unknown: [...unknown, ...look.unknown] };
}

export function unknownText({ unknown }: Pick<EffectLook, 'unknown'>): string {
  return unknown.length === 0 ? '' : `Not known: ${unknown.join('; ')}.`;
}

function alertsText({ alerts, outcome, at, since }: EffectLook): string {
  if (!alerts || since === undefined) return 'This cell does not know the containment, so it has counted no alerts.';
  const total = severities.reduce((sum, severity) => sum + (alerts.counts[severity] ?? 0), 0);
  if (alerts.lastAt === undefined || total === 0) return 'No alert has come from it since.';
  const each = severities.flatMap((severity) => (alerts.counts[severity] ? [`${alerts.counts[severity]} ${severity}`] : []));
  const ago = afterText(Math.max(0, Date.parse(at) - Date.parse(alerts.lastAt)));
  const addressed = alerts.addressed ? `, ${alerts.addressed} of them with an address or a domain` : '';
  const came = `${each.join(', ')} since${addressed}, the last ${ago} ago`;
  return outcome === 'alerts-continue' || isRecent(alerts.lastAt, at, since)
    ? `Alerts still come from it: ${came}.`
    : `Alerts have stopped: ${came}.`;
}

function forceText({ problems, pods, since, scope, isStale }: EffectLook): string {
  if (isStale) return 'Its current state is not known: the API server has not answered for a while.';
  if (scope?.kind === 'account')
    return problems.length > 0 ? `Not all of its rights are removed: ${problems.join('; ')}.` : 'Its rights are removed.';
  if (scope) return problems.length > 0 ? `The containment is incomplete: ${problems.join('; ')}.` : '';
  if (problems.length > 0) return `The quarantine is incomplete: ${problems.join('; ')}.`;
  if (!pods || since === undefined) return '';
  if (pods.there === 0) return pods.of === 1 ? 'The pod is gone.' : 'All its pods are gone.';
  return pods.there === pods.of
    ? 'The quarantine is in force.'
    : `The quarantine holds ${pods.there} of ${pods.of} pods: the others are gone.`;
}

function restartsText({ restarts }: EffectLook): string {
  if (restarts === undefined || restarts === 0) return '';
  return restarts === 1 ? 'A container restarted once.' : `Containers restarted ${restarts} times.`;
}

function servedText({ workload }: EffectLook): string {
  return workload ? `${lastPart(workload.name)} has ${readyText(workload)}.` : '';
}

function neighboursText({ neighbours }: EffectLook): string {
  if (!neighbours) return '';
  const { services, restarts = 0 } = neighbours;
  const named = services.length === 1 ? `Service ${services[0]}` : `${services.length} Services`;
  const restarted = restarts > 0 ? `, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'} since` : '';
  return `Behind its ${named}: ${readyText(neighbours)}${restarted}.`;
}

function readyText({ before, now }: ReadyChange): string {
  const text = ({ ready, pods }: PodsReady): string => `${ready} of ${pods}`;
  return `${text(now)} pods ready${before ? `, ${text(before)} before` : ''}`;
}

function warningsText({ warnings }: EffectLook): string {
  if (!warnings || warnings.total === 0) return '';
  const reasons = Object.entries(warnings.reasons).map(([reason, count]) => `${reason} ${count}`);
  return `Warnings in the namespace since: ${reasons.join(', ')}.`;
}

/** Whether the alert came in the second half of the period: activity needs a moment to stop, and a sensor a moment to report it. */
export function isRecent(lastAt: string, at: string, since: string): boolean {
  return Date.parse(lastAt) > (Date.parse(at) + Date.parse(since)) / 2;
}
