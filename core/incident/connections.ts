import type { CountConnectionsOutput } from '../actions/containment/count-connections.schema.ts';

/** What the connection table of a node has of one pod. */
type CountedConnections = Pick<CountConnectionsOutput, 'node' | 'open' | 'others' | 'neighbours'>;

/** Of the pods of a containment that are still there. */
export interface LookedAtConnections {
  /** Established TCP connections. */
  readonly open: number;
  /** Of UDP, and of TCP that is being opened or closed. */
  readonly others: number;
  /** Pods of which it is known, of how many. */
  readonly pods: number;
  readonly of: number;
}

/** Of what can be asked about one pod: how many, or why that is not known. */
export type ConnectionCount = { readonly found: CountedConnections } | { readonly unknown: string };

/** Where a table has nothing of a pod, and nothing of other pods there either, the network may keep what is open elsewhere. */
export function isTracked({ open, others, neighbours }: Pick<CountedConnections, 'open' | 'others' | 'neighbours'>): boolean {
  return open + others + neighbours > 0;
}

/** What was counted at one pod, in words. */
export function countedText(found: CountedConnections): string {
  const { node, open, others, neighbours } = found;
  if (!isTracked(found)) return untrackedText(node);
  if (open + others === 0)
    return `none: the connection table of node ${node} has ${entries(neighbours)} of other pods, and none of this one`;
  return `${open} established${others > 0 ? `, ${others} ${otherKinds}` : ''}, by the connection table of node ${node}`;
}

/** Adds up what was counted at pods. `of`: how many there are, counted or not. */
export function addConnections(
  counts: readonly ConnectionCount[],
  of: number,
): { readonly connections?: LookedAtConnections; readonly unknown: readonly string[] } {
  const known = counts.flatMap((count) => ('found' in count && isTracked(count.found) ? [count.found] : []));
  const reasons = counts.flatMap((count) => {
    if ('unknown' in count) return [count.unknown];
    return isTracked(count.found) ? [] : [untrackedText(count.found.node)];
  });
  const unknown = [...new Set(reasons)].map((reason) => `whether connections of it are open: ${reason}`);
  if (known.length === 0) return { unknown };
  const sum = (kind: 'open' | 'others'): number => known.reduce((all, one) => all + one[kind], 0);
  return { connections: { open: sum('open'), others: sum('others'), pods: known.length, of }, unknown };
}

/** One sentence. Empty where nothing was counted. */
export function connectionsText(connections: LookedAtConnections | undefined): string {
  if (!connections) return '';
  const { open, others, pods, of } = connections;
  const whose = of === 1 ? 'it' : pods === of ? 'its pods' : `${pods} of its ${of} pods`;
  const more = others > 0 ? `, and ${others} ${others === 1 ? 'is' : 'are'} ${otherKinds}` : '';
  if (open === 0) return `No connection of ${whose} is ${others > 0 ? 'established' : 'open'}${more}.`;
  return `${open} ${open === 1 ? 'connection' : 'connections'} of ${whose} ${open === 1 ? 'is' : 'are'} open${more}.`;
}

const otherKinds = 'of UDP, or opening or closing';

function entries(count: number): string {
  return count === 1 ? '1 entry' : `${count} entries`;
}

function untrackedText(node: string): string {
  return `the connection table of node ${node} has no entry of it, nor of other pods there, and this network may keep them elsewhere`;
}
