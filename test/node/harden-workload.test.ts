import { existsSync } from 'node:fs';
import { afterAll, expect, test } from '@jest/globals';
import { hardenWorkloadImplementation } from '../../activities/actions/workloads/harden-workload.ts';
import { hardenings } from '../../core/action/hardening.ts';
import { pathOf } from '../../integrations/kubernetes/client.ts';
import { openCluster, resolved, stepContext, until } from '../platform/kubernetes/parts/cluster.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const cluster = await openCluster(lab.kubeconfig);
afterAll(() => cluster.close());

/** As the kubelet detects it: https://kubernetes.io/docs/tutorials/security/apparmor/ */
const hasAppArmor = existsSync('/sys/kernel/security/apparmor');

interface Template {
  readonly spec: { readonly template: { readonly spec: object } };
  readonly status: { readonly availableReplicas?: number };
}

test('a profile that the node cannot enforce is rolled back automatically where the configuration is wrong; without that setting none is proposed', async () => {
  const { namespace } = lab;
  const labels = { app: 'cart' };
  const path = pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'cart' });
  await cluster.post(pathOf({ group: 'apps', resource: 'deployments', namespace }), {
    metadata: { name: 'cart' },
    spec: {
      selector: { matchLabels: labels },
      progressDeadlineSeconds: 15,
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'main', image: lab.image, imagePullPolicy: 'IfNotPresent' }],
        },
      },
    },
  });
  const available = async () => {
    const found = await cluster.get<Template>(path);
    return found.status.availableReplicas === 1 ? found : undefined;
  };
  const before = await until(available, 120_000);
  const [pod] = await cluster.pods(namespace);
  const others = hardenings.filter((one) => one !== 'appArmor');
  const input = { workload: { kind: 'Deployment', namespace, name: 'cart' }, suspect: resolved(pod ?? {}), leave: [...others] };
  const parts = { api: cluster.api, view: cluster.view, rollMs: 30_000 };

  await expect(hardenWorkloadImplementation(parts).plan(input, stepContext())).rejects.toMatchObject({
    detail: expect.stringContaining('already has everything'),
  });
  const wrong = hardenWorkloadImplementation({ ...parts, appArmorOnEveryNode: true });
  expect((await wrong.plan(input, stepContext())).notes).toContain(
    'Difference: spec.securityContext.appArmorProfile.type is added: RuntimeDefault.',
  );
  const done = wrong.apply(input, stepContext({ signal: AbortSignal.timeout(120_000) }));
  if (hasAppArmor) {
    await done;
    return;
  }
  await expect(done).rejects.toMatchObject({ detail: expect.stringContaining('its old fields were restored') });
  expect((await until(available, 120_000)).spec.template.spec).toEqual(before.spec.template.spec);
});
