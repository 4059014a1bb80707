import type { Alert } from '../alert/alert.ts';
import { ownRules, ownSensor } from '../alert/own-alerts.ts';
import type { Severity } from '../alert/severity.ts';
import { digestOf } from '../text/digest.ts';
import type { Order, SignedOrder } from './order.ts';

/** What a person wants from the incident that they start: that people investigate, or that the pod is isolated at once. */
export const startModes = ['look', 'quarantine'] as const;
export type StartMode = (typeof startModes)[number];

export interface IncidentTerms {
  readonly version: 1;
  /** 16 hex digits, drawn by the person who orders: the same order is one alert. */
  readonly id: string;
  readonly cluster: string;
  readonly wish: StartMode;
  readonly pod: { readonly namespace: string; readonly name: string };
  /** Always critical for a quarantine, which is for what cannot wait. */
  readonly severity: Severity;
  /** In the person's words, redacted. */
  readonly reason: string;
  /** Link to the message that it was started from. */
  readonly link?: string;
}

/** Starts an incident, as an alert does. It strengthens the response: one person is enough, and others decide about the incident (see `standing.ts`). */
export interface StartIncident extends Order {
  readonly kind: 'incident.start';
  readonly terms: IncidentTerms;
}

/** Ends the run of an open incident, so that the cell begins it again with its current build. Takes nothing back and asks again, so one person is enough. */
export interface RerunIncident extends Omit<Order, 'via'> {
  readonly kind: 'incident.rerun';
  readonly cluster: string;
  readonly incident: string;
  /** The run that is ended. */
  readonly run: string;
  /** In the person's words, redacted. */
  readonly reason: string;
}

export type SignedIncidentOrder = SignedOrder<StartIncident>;

/** Parses `namespace/name`, as people write a pod; undefined if it is not one. */
export function podIn(written: string): IncidentTerms['pod'] | undefined {
  const [, namespace, name] = /^([a-z0-9][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9.-]{0,252})$/.exec(written.trim()) ?? [];
  return namespace !== undefined && name !== undefined ? { namespace, name } : undefined;
}

/** The alert that such an order becomes. The person who ordered it is its requester: somebody else decides. */
export function alertOfOrder({ terms, person, at }: StartIncident, name: string): Alert {
  const { id, cluster, wish, pod, severity, reason, link } = terms;
  const words = wish === 'quarantine' ? `${name} ordered a quarantine` : `${name} started an incident`;
  return {
    id: digestOf({ order: id, cluster })
      .replace(/^sha256:/, '')
      .slice(0, 32),
    sensor: ownSensor,
    rule: ownRules[wish],
    severity,
    time: at,
    title: `${words}: ${reason}${link === undefined ? '' : ` (${link})`}`,
    cluster,
    pod,
    requester: person,
    observables: [],
    tags: [],
    mitre: [],
  };
}
