/** One node that is cut off at its provider, by one step. */
export interface NodeIsolation {
  /** The same for the order, the look and the release; no two steps share one. */
  readonly key: string;
  readonly incident: string;
  readonly cluster: string;
  /** As far as the cluster knows it: only its name after the node was deleted. */
  readonly node: {
    readonly name: string;
    readonly uid?: string;
    /** What the provider calls it: `aws:///eu-central-1a/i-0abc…`. */
    readonly providerId?: string;
    readonly addresses?: readonly string[];
  };
}

export interface IsolationLook {
  /** `unknown`: the provider has given no clear answer. */
  readonly state: 'isolated' | 'open' | 'unknown';
  /** In the provider's words, or why it is not known. */
  readonly detail: string;
}

/**
 * Controls the nodes' network from outside the cluster: security groups, a switch. A cordon contains nothing; this does. Every call may be repeated after a
 * crash, and must then change nothing more.
 */
export interface NodeIsolator {
  /** Name in plans and results: `the webhook at nodes.example.com`. */
  readonly title: string;
  isolate(isolation: NodeIsolation, signal: AbortSignal): Promise<void>;
  /** The current state, as the provider reads it back. */
  look(isolation: NodeIsolation, signal: AbortSignal): Promise<IsolationLook>;
  /** Ends this isolation and no other; one that never took effect counts as ended. */
  release(isolation: NodeIsolation, signal: AbortSignal): Promise<void>;
}
