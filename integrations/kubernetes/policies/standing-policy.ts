import type { V1NetworkPolicy } from '@kubernetes/client-node';
import type { QuarantineExceptions } from '../../../core/action/quarantine-exceptions.ts';
import { names } from '../../../core/cluster/labels.ts';
import type { PolicyRecord } from '../../../core/cluster/pod-record.ts';
import { FirebreakError, hasCode, undefinedIf } from '../../../core/errors.ts';
import { digestOf } from '../../../core/text/digest.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import { KubernetesError } from '../client-error.ts';
import type { ClusterView } from '../watch/cluster-view.ts';
import { type Jsonify, policyRecord } from '../watch/projection.ts';

type PolicyJson = Jsonify<V1NetworkPolicy>;

/**
 * Denies all ingress and egress of every pod of the namespace that carries the quarantine label, except for the configured exceptions. Admission holds the cell
 * to this shape (`service/rbac/cell-admission.ts`).
 */
export function specOf({ dns, forensics }: QuarantineExceptions): object {
  const within = (namespace: string) => ({
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
  });
  const to = dns && [
    { ...within(dns.namespace), podSelector: { matchLabels: dns.podLabels } },
    ...dns.addresses.map((cidr) => ({ ipBlock: { cidr } })),
  ];
  return {
    podSelector: { matchLabels: { [names.quarantineLabel]: 'active' } },
    policyTypes: ['Ingress', 'Egress'],
    ...(forensics && { ingress: [{ from: [within(forensics.namespace)] }] }),
    ...(to && { egress: [{ to, ports: ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 })) }] }),
  };
}

/** Cached per configuration object: needed at each containment and each check of one. */
const specDigests = new WeakMap<QuarantineExceptions, string>();
const noExceptions: QuarantineExceptions = {};

function isStandingPolicy(policy: PolicyRecord, exceptions: QuarantineExceptions): boolean {
  if (policy.name !== names.standingPolicy) return false;
  const digest = specDigests.get(exceptions) ?? digestOf(specOf(exceptions));
  specDigests.set(exceptions, digest);
  return policy.specDigest === digest;
}

/** The policy's state, from the cell's view of the cluster. */
export function standingRecord(policy: PolicyRecord, exceptions: QuarantineExceptions): 'as configured' | 'strict' | 'changed' {
  if (isStandingPolicy(policy, exceptions)) return 'as configured';
  return isStandingPolicy(policy, noExceptions) ? 'strict' : 'changed';
}

/** `strict`: it denies more than the configuration says, since the API server did not accept the exceptions. */
export function standingState(policy: PolicyJson, exceptions: QuarantineExceptions): 'as configured' | 'strict' | 'changed' {
  return standingRecord(policyRecord(policy), exceptions);
}

interface Wanted {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly exceptions: QuarantineExceptions;
  /** Absent: the API server is asked. */
  readonly view?: ClusterView;
  readonly signal?: AbortSignal;
}

/**
 * Makes sure that the namespace has exactly the standing policy: creates it if missing, corrects it if changed. Makes no call if the cache knows it is there.
 * @returns whether it was created or corrected now, and whether its exceptions were refused: then it exists without them.
 * @throws FB_ERR_REFUSED, FB_ERR_UNAVAILABLE.
 */
export async function ensureStandingPolicy(wanted: Wanted): Promise<{ readonly created: boolean; readonly refused: boolean }> {
  try {
    return { ...(await ensureExactly(wanted)), refused: false };
  } catch (error) {
    const without = Object.keys(wanted.exceptions).length === 0;
    if (without || !hasCode(error, 'FB_ERR_API_REFUSED')) throw error;
    // A mistake in an exception, or an outdated admission policy, must not prevent the containment of a pod.
    return { ...(await ensureExactly({ ...wanted, exceptions: noExceptions })), refused: true };
  }
}

async function ensureExactly(options: Wanted): Promise<{ readonly created: boolean }> {
  const { api, namespace, exceptions, view, signal } = options;
  const spec = specOf(exceptions);
  const known = view?.policies(namespace).find(({ name }) => name === names.standingPolicy);
  if (known && isStandingPolicy(known, exceptions)) return { created: false };
  if (view && !known) {
    const created = await create({ api, namespace, spec, ...(signal && { signal }) });
    if (created) {
      view.observePolicy(created);
      return { created: true };
    }
  }
  const policy = await readStandingPolicy({ api, namespace, ...(signal && { signal }) });
  if (policy && isStandingPolicy(policyRecord(policy), exceptions)) return { created: false };
  const written = policy
    ? await api.json<PolicyJson>({
        method: 'PATCH',
        patch: 'json',
        path: path(namespace, names.standingPolicy),
        query: { fieldManager: names.fieldManager },
        body: [
          { op: 'test', path: '/metadata/uid', value: policy.metadata?.uid },
          { op: 'replace', path: '/spec', value: spec },
        ],
        what: `patch networkpolicies in ${namespace}`,
        ...(signal && { signal }),
      })
    : await create({ api, namespace, spec, ...(signal && { signal }) });
  if (!written)
    throw new FirebreakError(
      'FB_ERR_CONFLICT',
      `the policy ${names.standingPolicy} in ${namespace} keeps being deleted and created`,
    );
  view?.observePolicy(written);
  return { created: true };
}

/** The policy as the API server has it, or undefined. */
export async function readStandingPolicy(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly signal?: AbortSignal;
}): Promise<PolicyJson | undefined> {
  const { api, namespace, signal } = options;
  return api
    .json<PolicyJson>({
      method: 'GET',
      path: path(namespace, names.standingPolicy),
      what: `get networkpolicies in ${namespace}`,
      ...(signal && { signal }),
    })
    .catch(undefinedIf('FB_ERR_NOT_FOUND'));
}

/** Undefined if one with this name already exists. */
async function create(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly spec: object;
  readonly signal?: AbortSignal;
}): Promise<PolicyJson | undefined> {
  const { api, namespace, spec, signal } = options;
  try {
    return await api.json<PolicyJson>({
      method: 'POST',
      path: path(namespace),
      query: { fieldManager: names.fieldManager },
      body: {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: names.standingPolicy, namespace, labels: { [names.managedByLabel]: 'firebreak' } },
        spec,
      },
      what: `create networkpolicies in ${namespace}`,
      ...(signal && { signal }),
    });
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 409) return undefined;
    throw error;
  }
}

function path(namespace: string, name?: string): string {
  return pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace, ...(name && { name }) });
}

/** Early corrections per namespace, until a minute passes without one. */
const mostEarly = 5;

/**
 * Keeps the standing policy in every watched namespace, so that a containment is one call. A new namespace gets it at once, and if it is removed or changed, it
 * is restored as soon as the watch reports it; at most once a second, and if it is changed repeatedly, every 10 s (`everyMs`).
 */
export class StandingPolicies {
  readonly #api: KubernetesApi;
  readonly #view: ClusterView & { onNamespace(listener: (namespace: string) => void): void };
  readonly #watched: (namespace: string) => boolean;
  readonly #exceptions: QuarantineExceptions;
  readonly #everyMs: number;
  readonly #log: (event: { readonly namespace: string; readonly what: string }) => void;
  readonly #stop = new AbortController();
  /** When it was last corrected before its turn, and how often in a row. */
  readonly #early = new Map<string, { at: number; times: number }>();
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly api: KubernetesApi;
    readonly view: ClusterView & { onNamespace(listener: (namespace: string) => void): void };
    /** Protected namespaces are not watched. */
    readonly watched: (namespace: string) => boolean;
    readonly exceptions?: QuarantineExceptions;
    readonly everyMs?: number;
    readonly log?: (event: { readonly namespace: string; readonly what: string }) => void;
  }) {
    const { api, view, watched, exceptions = {}, everyMs = 10_000, log = () => {} } = options;
    this.#api = api;
    this.#view = view;
    this.#watched = watched;
    this.#exceptions = exceptions;
    this.#everyMs = everyMs;
    this.#log = log;
  }

  /** Call it once the view is ready. Resolves when every watched namespace was checked once. */
  async start(): Promise<void> {
    this.#view.onNamespace((namespace) => this.#queue([namespace]));
    this.#view.onPolicies((namespace) => this.#changed(namespace));
    this.#timer = setInterval(() => this.#queue(this.#view.namespaces()), this.#everyMs).unref();
    await this.#work;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#work;
  }

  /** Limits early corrections: if somebody changes the policy all the time, the regular interval has to do. */
  #changed(namespace: string): void {
    const policy = this.#view.policies(namespace).find(({ name }) => name === names.standingPolicy);
    if (policy && isStandingPolicy(policy, this.#exceptions)) return;
    const now = Date.now();
    const early = this.#early.get(namespace) ?? { at: 0, times: 0 };
    if (now - early.at > 60_000) early.times = 0;
    if (early.times >= mostEarly || now - early.at < 1_000) return;
    this.#early.set(namespace, { at: now, times: early.times + 1 });
    this.#queue([namespace]);
  }

  #queue(namespaces: readonly string[]): void {
    this.#work = this.#work.then(async () => {
      for (const namespace of namespaces) await this.#see(namespace);
    });
  }

  async #see(namespace: string): Promise<void> {
    if (this.#stop.signal.aborted || !this.#watched(namespace)) return;
    try {
      const { created, refused } = await ensureStandingPolicy({
        api: this.#api,
        namespace,
        exceptions: this.#exceptions,
        view: this.#view,
        signal: this.#stop.signal,
      });
      if (created) this.#log({ namespace, what: 'the standing policy was written' });
      if (refused) this.#log({ namespace, what: 'the API server rejected the exceptions of the standing policy: it has none' });
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#log({ namespace, what: error instanceof FirebreakError ? error.detail : 'the standing policy could not be written' });
    }
  }
}
