import type { Right } from '../../core/action/action.ts';
import { names } from '../../core/cluster/labels.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import type { KubernetesApi } from './client.ts';
import { createObject, type ObjectRef, patchField, readObject } from './objects.ts';

/** What it takes where several cells of a cluster could begin the same run. */
export const claimRight: Right = {
  apiGroup: 'coordination.k8s.io',
  resource: 'leases',
  verbs: ['get', 'create', 'patch'],
  in: 'own namespace',
};

/**
 * Of several cells of a cluster one begins a run: the one that first writes it onto the Lease of the playbook in Firebreak's own namespace, changed by
 * compare-and-swap. What Temporal says plays no part in it.
 *
 * @param options.holder the same after a restart: a cell that ended between claim and run has its claim still
 * @throws FB_ERR_CONFLICT where another writes at the same moment, and what the API server throws: then it is looked again
 */
export function claimedByLease(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly cluster: string;
  readonly holder: string;
  readonly now?: () => number;
}): (playbook: string, due: number) => Promise<boolean> {
  const { api, namespace, cluster, holder, now = Date.now } = options;
  return async (playbook, due) => {
    const name = `firebreak-run-${sha256Hex(`${cluster}\n${playbook}`).slice(0, 20)}`;
    const ref: ObjectRef = { kind: 'Lease', group: 'coordination.k8s.io', resource: 'leases', namespace, name };
    const annotations = { [names.runDueAnnotation]: String(due), [names.playbookAnnotation]: playbook };
    // Microseconds, as the API wants them.
    const spec = { holderIdentity: holder, acquireTime: new Date(now()).toISOString().replace('Z', '000Z') };
    const seen = await readObject({ api, ref });
    if (!seen) {
      if (await createObject({ api, ref, metadata: { annotations }, content: { spec } })) return true;
      return isOf(await readObject({ api, ref }), due, holder);
    }
    const taken = dueOf(seen);
    if (taken !== undefined && taken >= due) return isOf(seen, due, holder);
    await patchField({ api, ref, seen, path: ['spec'], value: spec, annotations });
    return true;
  };
}

type Lease = Awaited<ReturnType<typeof readObject>>;

function dueOf(lease: Lease): number | undefined {
  const written = lease?.metadata.annotations?.[names.runDueAnnotation];
  return written !== undefined && /^\d{1,16}$/.test(written) ? Number(written) : undefined;
}

function isOf(lease: Lease, due: number, holder: string): boolean {
  const spec: unknown = lease?.spec;
  const by = typeof spec === 'object' && spec !== null && 'holderIdentity' in spec ? spec.holderIdentity : undefined;
  return dueOf(lease) === due && by === holder;
}
