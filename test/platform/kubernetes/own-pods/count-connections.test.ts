import { afterAll, describe, expect, test } from '@jest/globals';
import { countConnectionsImplementation } from '../../../../activities/actions/containment/count-connections.ts';
import { cutConnectionsImplementation } from '../../../../activities/actions/containment/cut-connections.ts';
import type { StepContext } from '../../../../core/action/action.ts';
import { countConnectionsOutput } from '../../../../core/actions/containment/count-connections.schema.ts';
import { counter } from '../../../../core/actions/containment/count-connections.ts';
import type { ResolvedPod } from '../../../../core/actions/pod.schema.ts';
import { names, stepHash } from '../../../../core/cluster/labels.ts';
import { pathOf } from '../../../../integrations/kubernetes/client.ts';
import { testPlatform } from '../../../platform.ts';
import { openCluster, resolved, stepContext, until } from '../parts/cluster.ts';

const { kubeconfig, freshNamespace } = await testPlatform();
const namespace = await freshNamespace();
const ownNamespace = await freshNamespace();
const cluster = await openCluster(kubeconfig, { watches: false });
afterAll(() => cluster.close());
const { api } = cluster;
const toolsImage = `images.internal/firebreak-tools@sha256:${'0'.repeat(64)}`;
const count = countConnectionsImplementation({ api, toolsImage, ownNamespace });

const say = (of: string, name: string, status: object) =>
  api.json({
    method: 'PATCH',
    patch: 'strategic',
    path: pathOf({ resource: 'pods', namespace: of, name, subresource: 'status' }),
    body: { status },
    what: 'say what a kubelet would',
  });
/** A pod on a node without a simulated kubelet: the test decides what becomes of it. */
async function suspect(name: string, status: object, spec: object = {}): Promise<ResolvedPod> {
  await cluster.post(pathOf({ resource: 'pods', namespace }), {
    metadata: { name, labels: { [names.quarantineLabel]: 'active' } },
    spec: { nodeName: 'nobody', containers: [{ name: 'main', image: 'shop/cart:1' }], ...spec },
  });
  await say(namespace, name, status);
  return resolved(await cluster.pod(namespace, name));
}
const running = { phase: 'Running', podIP: '10.1.0.7', podIPs: [{ ip: '10.1.0.7' }, { ip: 'fd00::7' }] };

/** Simulates the end of the counting pod. Returns the pod's command. */
async function counted({ key }: StepContext, told: object): Promise<readonly string[] | undefined> {
  const name = `${counter.namePrefix}${stepHash(key)}`;
  const made = await until(() => cluster.pod(ownNamespace, name).catch(() => undefined));
  const terminated = { exitCode: 0, message: JSON.stringify(told) };
  const main = { name: 'main', image: 'i', imageID: '', ready: false, restartCount: 0, state: { terminated } };
  await say(ownNamespace, name, { phase: 'Succeeded', containerStatuses: [main] });
  return made.spec?.containers[0]?.command;
}

describe('countConnections on the real API server', () => {
  test.each([
    [{ open: 2, others: 1, neighbours: 4 }, 'applied', '2 established, 1 UDP, opening or closing'],
    [{ open: 0, others: 0, neighbours: 4 }, 'applied', 'none: the connection table of node nobody has 4 entries for other pods'],
    [{ open: 0, others: 0, neighbours: 0 }, 'unverified', 'this network may keep them elsewhere'],
  ])('counts at all addresses of the pod, reports what it found (%j), and leaves no pod', async (told, state, detail) => {
    const pod = await suspect(`counted-${told.open}-${told.neighbours}`, running);
    const step = stepContext();
    const [output, command] = await Promise.all([count.apply({ pod }, step), counted(step, { table: 9, ...told })]);
    expect(command).toEqual(['/firebreak-cut', '-count', '-address', '10.1.0.7,fd00::7']);
    expect(countConnectionsOutput.parse(output)).toMatchObject({ pod, node: 'nobody', ...told });
    expect(await cluster.pods(ownNamespace)).toEqual([]);
    expect(await count.verify(output, step)).toEqual({ state, detail: expect.stringContaining(detail) });
  });

  test('plans a change to the node, which may be protected, and none to the pod', async () => {
    const pod = await suspect('planned', running);
    const plan = await count.plan({ pod }, stepContext());
    expect(plan.changes.map(({ target }) => target)).toEqual(['node/nobody']);
    expect(plan.target).toEqual({ name: `pod/${namespace}/planned`, uid: pod.uid });
  });

  test.each([
    ['shares the network of its node', running, { hostNetwork: true }, 'uses the network of its node'],
    ['has ended, so that its address may be another’s', { ...running, phase: 'Succeeded' }, {}, 'may be another pod’s by now'],
    ['has no address', { phase: 'Pending' }, {}, 'has no address on a node yet'],
  ])('refuses a pod that %s, as a cut does, and starts nothing', async (why, status, spec, reason) => {
    const pod = await suspect(why.replaceAll(/\W+/g, '-').slice(0, 40), status, spec);
    const refusal = { code: 'FB_ERR_REFUSED', detail: expect.stringContaining(reason) };
    await expect(count.apply({ pod }, stepContext())).rejects.toMatchObject(refusal);
    const cut = cutConnectionsImplementation({ api, toolsImage, ownNamespace });
    await expect(cut.apply({ pod }, stepContext())).rejects.toMatchObject(refusal);
    expect(await cluster.pods(ownNamespace)).toEqual([]);
  });

  test('refuses a pod with the wrong uid, and one without tools', async () => {
    const pod = await suspect('named', running);
    const other = { ...pod, uid: '00000000-0000-0000-0000-000000000000' };
    await expect(count.apply({ pod: other }, stepContext())).rejects.toMatchObject({ code: 'FB_ERR_TARGET_REPLACED' });
    const bare = countConnectionsImplementation({ api, toolsImage: undefined, ownNamespace });
    await expect(bare.apply({ pod }, stepContext())).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining('no tools are configured'),
    });
  });
});
