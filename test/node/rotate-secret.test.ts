import { afterAll, describe, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../activities/actions/containment/quarantine-pod.ts';
import { rotateSecretImplementation } from '../../activities/actions/secrets/rotate-secret.ts';
import { pathOf } from '../../integrations/kubernetes/client.ts';
import type { PodJson } from '../../integrations/kubernetes/watch/projection.ts';
import { readSecret } from '../../integrations/kubernetes/workloads/secrets.ts';
import { callKubernetes, readAccess } from '../../tools/platform/kubernetes/kubernetes-api.ts';
import { cellKey, openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
afterAll(() => cluster.close());

const { namespace } = lab;
const oldValue = 'old-value-canary';
const has = async (pod: string): Promise<readonly string[]> => {
  const { stdout } = await lab.exec(pod, 'sh', '-c', 'cat /v/password; echo; echo "$PASSWORD"');
  return stdout.trim().split('\n');
};
const running = async (): Promise<readonly PodJson[]> =>
  (await cluster.pods(namespace)).filter(
    ({ metadata, status }) =>
      metadata?.deletionTimestamp === undefined &&
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
  );

describe('rotateSecret on a real node', () => {
  test('consumers of the Secret start with the new value, and the quarantined pod cannot read it anywhere', async () => {
    await cluster.post(pathOf({ resource: 'secrets', namespace }), {
      metadata: { name: 'db' },
      stringData: { password: oldValue },
    });
    const container = {
      name: 'main',
      image: lab.image,
      imagePullPolicy: 'IfNotPresent',
      env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }],
      volumeMounts: [{ name: 'v', mountPath: '/v' }],
    };
    const spec = {
      terminationGracePeriodSeconds: 0,
      containers: [container],
      volumes: [{ name: 'v', secret: { secretName: 'db' } }],
    };
    await cluster.post(pathOf({ group: 'apps', resource: 'deployments', namespace }), {
      metadata: { name: 'cart' },
      spec: { selector: { matchLabels: { app: 'cart' } }, template: { metadata: { labels: { app: 'cart' } }, spec } },
    });
    const suspect = await until(async () => (await running())[0], 60_000);
    const name = suspect.metadata?.name ?? '';
    expect(await has(name)).toEqual([oldValue, oldValue]);
    const { stdout: token } = await lab.exec(name, 'cat', '/var/run/secrets/kubernetes.io/serviceaccount/token');

    const input = { pod: resolved(suspect) };
    const context = stepContext({ signal: AbortSignal.timeout(120_000) });
    await quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey }).apply(input, context);
    const action = rotateSecretImplementation({ api: cluster.api });
    const step = { ...context, key: `${context.key}/rotate` };
    const output = await action.apply({ suspect: input.pod }, step);
    expect(await action.verify(output, step)).toMatchObject({ state: 'verified' });
    const newName = output.rotated[0]?.newName ?? '';
    const made = await readSecret({ api: cluster.api, namespace, name: newName, signal: step.signal });
    const newValue = Buffer.from(made?.data?.password ?? '', 'base64').toString();

    const next = await until(async () => (await running()).find(({ metadata }) => metadata?.name !== name), 30_000);
    expect(await has(next.metadata?.name ?? '')).toEqual([newValue, newValue]);
    expect((await cluster.pod(namespace, name)).metadata?.uid).toBe(suspect.metadata?.uid);
    expect(await has(name)).toEqual([oldValue, oldValue]);
    const { server, ca } = readAccess(lab.kubeconfig);
    const ask = async (secret: string): Promise<number> => {
      const path = pathOf({ resource: 'secrets', namespace, ...(secret && { name: secret }) });
      return (await callKubernetes({ access: { server, ca, token: token.trim() }, path })).status;
    };
    expect([await ask(newName), await ask('db'), await ask('')]).toEqual([403, 403, 403]);
  });
});
