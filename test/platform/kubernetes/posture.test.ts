import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hardenWorkloadImplementation } from '../../../activities/actions/workloads/harden-workload.ts';
import type { Chokepoint } from '../../../activities/chokepoint/chokepoint.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { warningsSince } from '../../../integrations/kubernetes/pods/warnings.ts';
import { lookAtPosture } from '../../../service/cell/posture-look.ts';
import { testPlatform } from '../../platform.ts';
import { openCluster, resolved, until } from './parts/cluster.ts';

const platform = await testPlatform();

describe('what the cell reads from the API server for the record', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
  });
  afterAll(() => cluster.close());

  const input = (call: unknown) => call as Parameters<ReturnType<typeof hardenWorkloadImplementation>['plan']>[0];
  const harden = (): Pick<Chokepoint, 'plan'> => {
    const action = hardenWorkloadImplementation({ api: cluster.api, view: cluster.view });
    return {
      plan: async (call, context) => ({
        ...(await action.plan(input(call.input), context)),
        action: call.action,
        effect: 'destructive',
        reach: 'workload',
        inputDigest: '',
      }),
    };
  };

  test('is what a pod is allowed, what its account may do, and what would harden its workload, from a dry run', async () => {
    const namespace = await platform.freshNamespace();
    await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'cart' } });
    const rbac = { group: 'rbac.authorization.k8s.io', namespace };
    await cluster.post(pathOf({ ...rbac, resource: 'roles' }), {
      metadata: { name: 'cart' },
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }],
    });
    await cluster.post(pathOf({ ...rbac, resource: 'rolebindings' }), {
      metadata: { name: 'cart' },
      roleRef: { apiGroup: rbac.group, kind: 'Role', name: 'cart' },
      subjects: [{ kind: 'ServiceAccount', name: 'cart', namespace }],
    });
    const [pod = {}] = await cluster.makeDeployment(namespace, 'cart', {
      spec: { serviceAccountName: 'cart', hostPID: true },
    });
    const before = (await cluster.deployment(namespace, 'cart')).spec?.template;
    const incident = { id: `incident/test/${namespace}/Deployment/cart`, run: 'run' };
    const parts = { api: cluster.api, view: cluster.view };
    const posture = await lookAtPosture({ ...parts, chokepoint: harden() }, { incident, pod: resolved(pod) });
    expect(posture).toMatchObject({
      of: `pod/${namespace}/${pod.metadata?.name}`,
      level: 'privileged',
      account: { name: `${namespace}/cart`, hasToken: true, may: ['read the Secrets of its namespace'] },
      proposal: { workload: `deployment/${namespace}/cart` },
      unknown: [],
    });
    expect(posture.findings.map(({ id }) => id)).toEqual(expect.arrayContaining(['host-pid', 'root', 'kept-capabilities']));
    expect(posture.proposal?.changes).toContain('spec.automountServiceAccountToken is added: false');
    expect((await cluster.deployment(namespace, 'cart')).spec?.template).toEqual(before);

    // The API server accepts the command's patch.
    const patch: unknown = JSON.parse(/--patch '(.*)'$/.exec(posture.proposal?.command ?? '')?.[1] ?? 'null');
    const path = pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'cart' });
    const trying = { path, query: { dryRun: 'All' }, body: patch, what: 'try the command' };
    const patched = await cluster.api.json({ method: 'PATCH', patch: 'strategic', ...trying });
    expect(patched).toMatchObject({
      spec: {
        template: { spec: { containers: [{ image: 'shop/cart:1', securityContext: { allowPrivilegeEscalation: false } }] } },
      },
    });

    // If nobody may try it, the result is computed, and reported as such.
    const refusing: Pick<Chokepoint, 'plan'> = { plan: () => Promise.reject(new Error('no')) };
    const untried = await lookAtPosture({ ...parts, chokepoint: refusing }, { incident });
    expect(untried.proposal?.changes).toContain('automountServiceAccountToken is added: false');
    expect(untried.unknown).toEqual([expect.stringMatching(/^whether the API server would take a hardened Deployment: /)]);
    const nobody = { ...incident, id: `incident/test/${namespace}/Deployment/gone` };
    await expect(lookAtPosture({ ...parts, chokepoint: refusing }, { incident: nobody })).rejects.toMatchObject({
      code: 'FB_ERR_NOT_FOUND',
    });
  });

  test('is which warnings a namespace has had since a given time', async () => {
    const namespace = await platform.freshNamespace();
    const event = (name: string, reason: string, type: string, lastTimestamp: string, more = {}) =>
      cluster.post(pathOf({ resource: 'events', namespace }), {
        metadata: { name },
        involvedObject: { kind: 'Pod', namespace, name: 'cart-1' },
        ...{ reason, type, lastTimestamp, message: 'of the test', ...more },
      });
    const since = Date.now() + 3_600_000;
    const after = new Date(since + 60_000).toISOString();
    await event('old', 'BackOff', 'Warning', new Date(since - 60_000).toISOString());
    await event('first', 'BackOff', 'Warning', after);
    await event('second', 'Unhealthy', 'Warning', after);
    await event('third', 'Unhealthy', 'Warning', after);
    await event('normal', 'Pulled', 'Normal', after);
    const own = { reportingComponent: 'firebreak.dev/cell', reportingInstance: 'cell-0', action: 'Quarantine' };
    await event('own', 'Quarantined', 'Warning', after, { ...own, eventTime: after.replace('Z', '000Z') });
    const found = await until(async () => {
      const { total, reasons } = await warningsSince({ api: cluster.api, namespace, since, signal: AbortSignal.timeout(60_000) });
      return total > 0 ? { total, reasons } : undefined;
    });
    expect(found).toEqual({ total: 3, reasons: { Unhealthy: 2, BackOff: 1 } });
  });
});
