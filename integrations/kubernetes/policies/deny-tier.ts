import { setTimeout as sleep } from 'node:timers/promises';
import type { Right } from '../../../core/action/action.ts';
import { type DenyTier, denyTiers, isDenyTier } from '../../../core/cluster/deny-tier.ts';
import { names } from '../../../core/cluster/labels.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import { KubernetesError } from '../client-error.ts';

/** The cell's rights. Read only: anyone who may write a deny tier may cut off the whole cluster. */
export const denyTierRights: readonly Right[] = denyTiers.map(({ group, resource }) => ({
  apiGroup: group,
  resource,
  verbs: ['get'],
}));

interface PolicyObject {
  readonly spec?: Readonly<Record<string, unknown>>;
}

/**
 * The strongest deny tier that is applied correctly. One that does not exist, or may not be read, is ignored.
 * @throws FB_ERR_UNAVAILABLE if the API server does not answer.
 */
export async function readDenyTier(options: {
  readonly api: KubernetesApi;
  readonly signal?: AbortSignal;
  /** Absent: all deny tiers that Firebreak knows. */
  readonly among?: readonly DenyTier[];
}): Promise<DenyTier | undefined> {
  const { api, signal, among = denyTiers } = options;
  const found = await Promise.all(among.map(async (tier) => isDenyTier(tier, (await read(tier, api, signal))?.spec)));
  return among.find((_, index) => found[index]);
}

async function read(tier: DenyTier, api: KubernetesApi, signal: AbortSignal | undefined): Promise<PolicyObject | undefined> {
  const { group, version, resource } = tier;
  try {
    return await api.json<PolicyObject>({
      method: 'GET',
      path: pathOf({ group, version, resource, name: names.standingPolicy }),
      what: `get ${resource}`,
      ...(signal && { signal }),
    });
  } catch (error) {
    if (error instanceof KubernetesError && (error.status === 404 || error.status === 403)) return undefined;
    throw error;
  }
}

const stillThereEveryMs = 3_000;

/** Caches which deny tier the cluster has, since the fast path needs it. */
export class DenyTierWatch {
  readonly #api: KubernetesApi;
  readonly #everyMs: number;
  readonly #changed: (tier: DenyTier | undefined) => void;
  readonly #stop = new AbortController();
  #current: DenyTier | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly api: KubernetesApi;
    readonly everyMs?: number;
    readonly changed?: (tier: DenyTier | undefined) => void;
  }) {
    const { api, everyMs = 60_000, changed = () => {} } = options;
    this.#api = api;
    this.#everyMs = everyMs;
    this.#changed = changed;
  }

  get current(): DenyTier | undefined {
    return this.#current;
  }

  /** Resolves after the first lookup. */
  start(): Promise<void> {
    const first = this.#look();
    this.#looking = first.then(() => this.#goOn());
    return first;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#looking;
  }

  async #goOn(): Promise<void> {
    const { signal } = this.#stop;
    let lookedAt = Date.now();
    while (!signal.aborted) {
      // If an existing deny tier disappears, what it denied is open: so one call checks it more often.
      const waitMs = this.#current ? Math.min(this.#everyMs, stillThereEveryMs) : this.#everyMs;
      await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      const due = Date.now() - lookedAt >= this.#everyMs;
      if (this.#current && !due) await this.#look([this.#current]);
      if (!this.#current || due) {
        lookedAt = Date.now();
        await this.#look();
      }
    }
  }

  async #look(among?: readonly DenyTier[]): Promise<void> {
    const before = this.#current;
    try {
      this.#current = await readDenyTier({ api: this.#api, signal: this.#stop.signal, ...(among && { among }) });
    } catch {
      // Unknown: then a quarantine claims no more than NetworkPolicies provide.
      this.#current = undefined;
    }
    if (this.#current !== before && !this.#stop.signal.aborted) this.#changed(this.#current);
  }
}
