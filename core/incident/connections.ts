import type { CountConnectionsOutput } from '../actions/containment/count-connections.schema.ts';

/** What a node's connection table contains about one pod. */
type CountedConnections = Pick<CountConnectionsOutput, 'node' | 'open' | 'others' | 'neighbours'>;

/** Connections of the contained pods that still exist. */
export interface LookedAtConnections {
  /** Established TCP connections. */
  readonly open: number;
  /** UDP connections, and TCP connections that are being opened or closed. */
  readonly others: number;
  /** Pods whose connections are known, out of `of`. */
  readonly pods: number;
  readonly of: number;
}

/** Result of counting one pod's connections: the counts, or why they are not known. */
export type ConnectionCount = { readonly found: CountedConnections } | { readonly unknown: string };

/** If a table contains nothing about a pod or about other pods there, the network may track open connections elsewhere. */
export function isTracked({ open, others, neighbours }: Pick<CountedConnections, 'open' | 'others' | 'neighbours'>): boolean {
  return open + others + neighbours > 0;
}

/** The counts of one pod, in words. */
export function countedText(found: CountedConnections): string {
  const { node, open, others, neighbours } = found;
  if (!isTracked(found)) return untrackedText(node);
  if (open + others === 0)
    return `none: the connection table of node ${node} has ${entries(neighbours)} for other pods and none for this one`;
  return `${open} established${others > 0 ? `, ${others} ${otherKinds}` : ''}, according to the connection table of node ${node}`;
}

/** Adds up the counts of pods. `of`: total number of pods, counted or not. */
export function addConnections(
  counts: readonly ConnectionCount[],
  of: number,
): { readonly connections?: LookedAtConnections; readonly unknown: readonly string[] } {
  const known = counts.flatMap((count) => ('found' in count && isTracked(count.found) ? [count.found] : []));
  const reasons = counts.flatMap((count) => {
    if ('unknown' in count) return [count.unknown];
    return isTracked(count.found) ? [] : [untrackedText(count.found.node)];
  });
  const unknown = [...new Set(reasons)].map((reason) => `whether it has open connections: ${reason}`);
  if (known.length === 0) return { unknown };
  const sum = (kind: 'open' | 'others'): number => known.reduce((all, one) => all + one[kind], 0);
  return { connections: { open: sum('open'), others: sum('others'), pods: known.length, of }, unknown };
}

/** One sentence. Empty if nothing was counted. */
export function connectionsText(connections: LookedAtConnections | undefined): string {
  if (!connections) return '';
  const { open, others, pods, of } = connections;
  const whose = of === 1 ? 'it' : pods === of ? 'its pods' : `${pods} of its ${of} pods`;
  const more = others > 0 ? `, and ${others} ${others === 1 ? 'is' : 'are'} ${otherKinds}` : '';
  if (open === 0) return `No connection of ${whose} is ${others > 0 ? 'established' : 'open'}${more}.`;
  return `${open} ${open === 1 ? 'connection' : 'connections'} of ${whose} ${open === 1 ? 'is' : 'are'} open${more}.`;
}

const otherKinds = 'UDP, opening or closing';

function entries(count: number): string {
  return count === 1 ? '1 entry' : `${count} entries`;
}

function untrackedText(node: string): string {
  return `the connection table of node ${node} has no entry for it or for other pods there, and this network may keep them elsewhere`;
}
