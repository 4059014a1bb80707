import type { CoreV1Event } from '@kubernetes/client-node';
import type { Right } from '../../../core/action/action.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import { reporterPrefix } from '../object-events.ts';
import type { Jsonify } from '../watch/projection.ts';

/** Anyone who may write events may write many: this is the maximum that is read. */
const most = 500;
const mostReasons = 5;

export const warningsRight: Right = { apiGroup: '', resource: 'events', verbs: ['list'] };

type Event = Jsonify<CoreV1Event>;

/** When it was last seen. Different writers set different fields: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ */
function seenAt({ series, lastTimestamp, eventTime, metadata }: Event): number {
  const times = [series?.lastObservedTime, lastTimestamp, eventTime, metadata.creationTimestamp];
  return Math.max(0, ...times.flatMap((time) => (time ? [Date.parse(time)] : [])).filter((at) => !Number.isNaN(at)));
}

/** Warning Events of a namespace seen since then, counted by reason. Anyone who may write Events there can fake them: a hint, not a proof. */
export async function warningsSince(options: {
  readonly api: Pick<KubernetesApi, 'json'>;
  readonly namespace: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly signal: AbortSignal;
}): Promise<{ readonly total: number; readonly reasons: Readonly<Record<string, number>>; readonly more?: true }> {
  const { api, namespace, since, signal } = options;
  const list = await api.json<{ readonly items: readonly Event[]; readonly metadata: { readonly continue?: string } }>({
    method: 'GET',
    path: pathOf({ resource: 'events', namespace }),
    query: { fieldSelector: 'type=Warning', limit: String(most) },
    what: `list events in ${namespace}`,
    signal,
  });
  // A quarantine is reported by an Event of ours, which is a warning.
  const isOwn = ({ reportingComponent }: Event): boolean => reportingComponent?.startsWith(reporterPrefix) === true;
  const found = list.items.filter((event) => !isOwn(event) && seenAt(event) >= since);
  const counts = new Map<string, number>();
  for (const { reason = '' } of found) {
    // The API server only limits a reason to 128 characters, of any kind.
    const known = /^[A-Za-z0-9]{1,60}$/.test(reason) ? reason : 'other';
    counts.set(known, (counts.get(known) ?? 0) + 1);
  }
  const reasons = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, mostReasons);
  return { total: found.length, reasons: Object.fromEntries(reasons), ...(list.metadata.continue && { more: true }) };
}
