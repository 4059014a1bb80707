import { afterAll, describe, expect, test } from '@jest/globals';
import { probeQuarantineImplementation } from '../../activities/actions/containment/probe-quarantine.ts';
import { quarantinePodImplementation } from '../../activities/actions/containment/quarantine-pod.ts';
import { probeQuarantine } from '../../core/actions/index.ts';
import { names } from '../../core/cluster/labels.ts';
import type { KubernetesCall } from '../../integrations/kubernetes/call.ts';
import { type KubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { networkPolicyRef } from '../../integrations/kubernetes/policies/network-policies.ts';
import { probeNetwork } from '../../service/doctor/network-probe.ts';
import { cellKey, openCluster, resolved, stepContext } from '../platform/kubernetes/parts/cluster.ts';
import { nodeLab } from './lab/lab.ts';
import { poolAccount } from './lab/pool-account.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
afterAll(() => cluster.close());
const pool = await poolAccount(lab, probeQuarantine);

const { toolsImage } = lab;
const { ownNamespace } = pool;
const quarantine = quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey });
/** Runs under the pool's own account, with exactly the rights in its manifest. */
const probe = probeQuarantineImplementation({ api: pool.api, toolsImage, ownNamespace });
const serve = ['nc', '-ll', '-p', '80', '-e', 'echo', 'hello'];

const quarantined = async (name: string) => {
  await lab.runPod({ name, command: serve });
  const input = { pod: resolved(await lab.pod(name)) };
  await quarantine.apply(input, stepContext());
  return input;
};
const tried = async (input: Awaited<ReturnType<typeof quarantined>>) => {
  const step = stepContext({ signal: AbortSignal.timeout(120_000) });
  const output = await probe.apply(input, step);
  return { output, verification: await probe.verify(output, step) };
};

describe('the probe of firebreak doctor on a real node', () => {
  const probed = (api: KubernetesApi) =>
    probeNetwork({ api, toolsImage, ownNamespace: lab.namespace, signal: AbortSignal.timeout(120_000) });

  test('proves that NetworkPolicies are enforced, and cleans up after itself', async () => {
    expect(await probed(cluster.api)).toMatchObject([{ state: 'ok', text: expect.stringContaining('as tested') }]);
    const left = await lab.kubectl('get', 'pods,networkpolicies', '--output', 'name');
    expect(left.stdout).not.toContain('firebreak-doctor-');
  });

  test('finds that nothing enforces them when no policy is created', async () => {
    const unenforced: KubernetesApi = {
      ...cluster.api,
      json: async <T>(call: KubernetesCall): Promise<T> =>
        cluster.api.json(call.path.includes('networkpolicies') ? { ...call, method: 'GET', path: '/version' } : call),
    };
    expect(await probed(unenforced)).toMatchObject([
      { state: 'error', text: expect.stringContaining('into and out of a pod that a policy closes') },
    ]);
  });

  test('says what its account may not do, and makes no claim', async () => {
    expect(await probed(pool.api)).toMatchObject([{ state: 'not tried' }]);
  });
});

describe('probeQuarantine on a real node', () => {
  test('verifies an enforced quarantine in both directions, and leaves no pod of its own', async () => {
    const { output, verification } = await tried(await quarantined('enforced'));
    expect(output).toMatchObject({ control: 'connected', into: [{ outcome: 'silent' }], from: 'silent' });
    expect(verification).toMatchObject({ state: 'verified' });
    expect(await cluster.pods(ownNamespace)).toEqual([]);
  });

  test('detects a quarantine that nothing enforces: the label alone blocks no connection', async () => {
    const input = await quarantined('only-labelled');
    const policy = networkPolicyRef(lab.namespace, names.standingPolicy);
    await cluster.api.json({ method: 'DELETE', path: pathOf(policy), what: 'take the policy away' });
    const { output, verification } = await tried(input);
    expect(output).toMatchObject({ control: 'connected', into: [{ outcome: 'connected' }], from: 'connected' });
    expect(verification).toMatchObject({ state: 'partial', detail: expect.stringContaining('does not work') });
  });

  test('proves nothing from silence when the pod that should have answered was gone', async () => {
    const input = await quarantined('unanswered');
    const api: KubernetesApi = {
      ...pool.api,
      async json<T>(call: KubernetesCall): Promise<T> {
        // The tools take a while to start: the pod that they should reach ends meanwhile.
        if (call.path.endsWith('/ephemeralcontainers')) {
          const listeners = (await cluster.pods(ownNamespace)).filter(({ metadata }) => metadata?.name?.endsWith('-listen'));
          for (const { metadata } of listeners)
            await lab.kubectl('--namespace', ownNamespace, 'delete', 'pod', metadata?.name ?? '', '--now');
        }
        return pool.api.json(call);
      },
    };
    const step = stepContext({ signal: AbortSignal.timeout(120_000) });
    const late = probeQuarantineImplementation({ api, toolsImage, ownNamespace });
    const output = await late.apply(input, step);
    expect(output.from).not.toBe('connected');
    expect(await late.verify(output, step)).toMatchObject({
      state: 'unverified',
      detail: expect.stringContaining('nothing is proven'),
    });
  });

  test('proves nothing where its own pods cannot reach each other', async () => {
    const input = await quarantined('cut-off');
    const everything = { podSelector: {}, policyTypes: ['Ingress'] };
    await cluster.post(pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace: ownNamespace }), {
      metadata: { name: 'deny-all' },
      spec: everything,
    });
    const { verification } = await tried(input);
    expect(verification).toMatchObject({ state: 'unverified', detail: expect.stringContaining('nothing is proven') });
  });

  test('uses an account that can run nothing else in a pod', async () => {
    const { code, stderr } = await lab.kubectl(
      ...['--kubeconfig', pool.kubeconfig, '--namespace', ownNamespace, 'run', 'firebreak-probe-thief', '--restart', 'Never'],
      ...['--image', lab.imageByDigest, '--', 'sh'],
    );
    expect(code).toBe(1);
    expect(stderr).toContain('Firebreak may make only pods');
  });
});
