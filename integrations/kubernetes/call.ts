export type PatchType = 'merge' | 'json' | 'apply' | 'strategic';

export interface KubernetesCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `/api/v1/namespaces/shop/pods/cart`: build it with `pathOf`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | URLSearchParams;
  readonly body?: unknown;
  /** Required for PATCH: there is no safe default. */
  readonly patch?: PatchType;
  readonly accept?: string;
  /** The call in words, with the right that it needs: `patch pods in shop`. Used in errors. */
  readonly what: string;
  /** Milliseconds for the whole call; default 5 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export type StreamCall = Omit<KubernetesCall, 'method' | 'body' | 'patch'>;

export interface SocketCall extends Omit<StreamCall, 'accept'> {
  /** Subprotocols that we speak, best first. */
  readonly protocols: readonly string[];
}
