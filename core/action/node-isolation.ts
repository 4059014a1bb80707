/** One node that is cut off at its provider, by one step. */
export interface NodeIsolation {
  /** The same for the order, the look and the end of it; no two steps share one. */
  readonly key: string;
  readonly incident: string;
  readonly cluster: string;
  /** As far as the cluster knows it: after the node was deleted, its name alone. */
  readonly node: {
    readonly name: string;
    readonly uid?: string;
    /** What the provider calls it: `aws:///eu-central-1a/i-0abc…`. */
    readonly providerId?: string;
    readonly addresses?: readonly string[];
  };
}

export interface IsolationLook {
  /** `unknown`: the provider has given no answer that says either. */
  readonly state: 'isolated' | 'open' | 'unknown';
  /** In the provider's words, or why it is not known. */
  readonly detail: string;
}

/**
 * What holds the network of the nodes from outside of the cluster: security groups, a switch. A cordon contains nothing; this does. Every call
 * may come again after a crash, and then changes nothing more.
 */
export interface NodeIsolator {
  /** As plans and results name it: `the webhook at nodes.example.com`. */
  readonly title: string;
  isolate(isolation: NodeIsolation, signal: AbortSignal): Promise<void>;
  /** What it is like now, as the provider reads it back. */
  look(isolation: NodeIsolation, signal: AbortSignal): Promise<IsolationLook>;
  /** Ends this isolation and no other; one that never came about is ended already. */
  release(isolation: NodeIsolation, signal: AbortSignal): Promise<void>;
}
