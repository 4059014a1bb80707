import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { cellKey, type openCluster, resolved, stepContext, until } from '../kubernetes/parts/cluster.ts';

/** Creates a Deployment of one pod that uses the Secret `db`: the pod is in quarantine, and its replacement runs. */
export async function quarantinedSuspect(
  cluster: Awaited<ReturnType<typeof openCluster>>,
  { namespace, signal }: { readonly namespace: string; readonly signal: AbortSignal },
) {
  const spec = { containers: [{ name: 'main', image: 'shop/cart:1', envFrom: [{ secretRef: { name: 'db' } }] }] };
  const [suspect] = await cluster.makeDeployment(namespace, 'cart', { replicas: 1, spec });
  if (!suspect) throw new Error('one replica was asked for');
  const context = stepContext({ signal });
  const input = { pod: resolved(suspect) };
  await quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey }).apply(input, context);
  await until(async () =>
    (await cluster.pods(namespace)).filter(({ status }) => status?.phase === 'Running').length === 2 ? true : undefined,
  );
  return { spec, input: { suspect: input.pod }, context: { ...context, key: `${context.key}/rotate` } };
}
