import type { StepContext } from '../../core/action/action.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import type { AnyRow } from '../../test/platform/actions/row.ts';
import { cellKey, openCluster, stepContext } from '../../test/platform/kubernetes/parts/cluster.ts';
import { folderEvidence } from '../../test/platform/kubernetes/parts/evidence.ts';
import { type Distribution, distribution } from '../report.ts';
import { makeNamespace } from './stage.ts';

interface Cost {
  readonly calls: number;
  readonly bytes: number;
  readonly ms: number;
}

/** What each action of a table of the tests costs on its scene there. Name of the figure → its values, one per run. */
export async function callsOfActions(options: {
  readonly rows: readonly AnyRow[];
  readonly kubeconfig: string;
  readonly stateDir: string;
  readonly times: number;
  /** Created for the rows that need Firebreak's own pods. */
  readonly ownNamespace?: string;
}): Promise<Readonly<Record<string, Distribution>>> {
  const { rows, stateDir, times } = options;
  const cluster = await openCluster(options.kubeconfig);
  try {
    if (options.ownNamespace) await makeNamespace(cluster.api, options.ownNamespace);
    const evidence = await folderEvidence(stateDir);
    const figures: Record<string, Distribution> = {};
    for (const row of rows) {
      const costs: Cost[] = [];
      for (let n = 0; n < times; n += 1)
        costs.push(await costOf({ row, cluster, evidence, namespace: `${kebab(row.declaration.name)}-${n}` }));
      for (const what of ['calls', 'bytes', 'ms'] as const)
        figures[`${row.declaration.name} ${what}`] = distribution(costs.map((cost) => cost[what]));
      const [calls, ms] = [figures[`${row.declaration.name} calls`], figures[`${row.declaration.name} ms`]];
      console.log(`${row.declaration.name}: ${calls?.p50} calls, ${ms?.p50} ms`);
    }
    return figures;
  } finally {
    await cluster.close();
  }
}

async function costOf(options: {
  readonly row: AnyRow;
  readonly cluster: Awaited<ReturnType<typeof openCluster>>;
  readonly evidence: Awaited<ReturnType<typeof folderEvidence>>;
  readonly namespace: string;
}): Promise<Cost> {
  const { row, cluster, evidence, namespace } = options;
  await makeNamespace(cluster.api, namespace);
  const { input, end } = await row.scene(cluster, namespace);
  const counted = counting(cluster.api);
  const action = row.implementation({ api: counted.api, view: cluster.view, cellKey, evidence });
  const context: StepContext = {
    ...stepContext(),
    incident: `incident/bench/${namespace}/Deployment/cart`,
    signal: AbortSignal.timeout(60_000),
  };
  const started = performance.now();
  await action.plan(input, context);
  await action.verify(await action.apply(input, context), context);
  const ms = performance.now() - started;
  const { calls, bytes } = counted.cost();
  await end?.();
  return { calls, bytes, ms };
}

/** Counts calls, and the bytes of their JSON bodies; for streams only the calls. */
function counting(api: KubernetesApi): { readonly api: KubernetesApi; cost(): Pick<Cost, 'calls' | 'bytes'> } {
  let [calls, bytes] = [0, 0];
  const sizeOf = (value: unknown): number => (value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value)));
  return {
    api: {
      ...api,
      async json<T>(call: Parameters<KubernetesApi['json']>[0]): Promise<T> {
        calls += 1;
        const answer = await api.json<T>(call);
        bytes += sizeOf(call.body) + sizeOf(answer);
        return answer;
      },
      stream(call) {
        calls += 1;
        return api.stream(call);
      },
      socket(call) {
        calls += 1;
        return api.socket(call);
      },
    },
    cost: () => ({ calls, bytes }),
  };
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
