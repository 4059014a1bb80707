import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { cordonNodeImplementation } from '../../../activities/actions/nodes/cordon-node.ts';
import { noteAnnotation } from '../../../core/cluster/object-note.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { AllowRelease, ReleasedObject } from '../../../core/incident/hold.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { createWebhookNodeIsolator } from '../../../integrations/webhook/node-isolator.ts';
import { comparable } from '../../comparable.ts';
import { type NodeProviderFake, startNodeProviderFake } from '../../fakes/node-provider/server.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, stepContext } from '../kubernetes/parts/cluster.ts';
import { settledContents } from './object-contents.ts';
import { nodeNobodyUses } from './rows-cluster-wide.ts';

const platform = await testPlatform();
const secret = 'node-secret';

interface NodeJson {
  readonly metadata: { readonly uid: string };
  readonly spec: { readonly unschedulable?: boolean };
}

describe('cordonNode with a provider’s hook', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  const ends: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });
  afterAll(() => cluster.close());

  /** Creates a node for this test alone, the provider in front of it, and the action under its hook. */
  async function scene() {
    const node = await platform.freshNamespace();
    const ref = await nodeNobodyUses(cluster, node);
    const path = pathOf(ref);
    const provider = await startNodeProviderFake({ secret });
    ends.push(
      () => provider.stop(),
      () => cluster.api.json({ method: 'DELETE', path, what: 'clean up' }).catch(() => undefined),
    );
    const isolator = createWebhookNodeIsolator({ url: `${provider.url}/firebreak`, secret, timeoutMs: 2_000 });
    const isolation = { isolator, cluster: 'lab', pauseMs: 10 };
    const action = cordonNodeImplementation({ api: cluster.api, view: cluster.view, cellKey, isolation });
    return { node, ref, path, provider, action, context: stepContext(), read: () => cluster.get<NodeJson>(path) };
  }
  const host = (provider: NodeProviderFake) => `the webhook at ${new URL(provider.url).host}`;

  test('is contained once the provider confirms it, and its undo ends that and the cordon, byte for byte', async () => {
    const { node, ref, provider, action, context, read } = await scene();
    const before = await read();
    const plan = await action.plan({ node }, context);
    expect(plan.changes.map(({ what }) => what)).toContain(`is cut off from its network by ${host(provider)}`);
    const output = await action.apply({ node }, context);
    await action.apply({ node }, context);
    expect(await action.plan({ node }, context)).toEqual(plan);
    expect(provider.isolated()).toEqual([node]);
    expect(provider.events).toMatchObject([
      { type: 'node.isolate', cluster: 'lab', incident: context.incident, node: { name: node, uid: before.metadata.uid } },
    ]);
    expect(await action.verify(output, context)).toMatchObject({
      state: 'applied',
      detail: expect.stringContaining(
        `contained at the provider: ${host(provider)} has read back: sg-quarantine; the node takes`,
      ),
    });
    const undone = await action.undo({ input: { node }, output, key: context.key }, context);
    expect(undone).toMatchObject({ state: 'undone', detail: expect.stringContaining('has read back that it is open') });
    expect(provider.isolated()).toEqual([]);
    const asBefore = [comparable({ ...before })];
    expect(await settledContents(cluster, [ref], asBefore)).toEqual(asBefore);
    expect(await action.undo({ input: { node }, output, key: context.key }, context)).toMatchObject({ state: 'already' });
  });

  test('is contained even if the answer to the order was lost, because a later look confirms it', async () => {
    const { node, provider, action, context } = await scene();
    provider.inject({ method: 'POST', path: /firebreak/, what: 'then-hang', times: 3 });
    const output = await action.apply({ node }, context);
    expect(output.notIsolated).toContain('did not answer');
    expect(provider.events).toHaveLength(1);
    expect((await action.verify(output, context)).detail).toContain('contained at the provider');
  });

  test('is not contained when the provider refuses, does not act or cannot be read; the cordon stays', async () => {
    for (const [prepare, why] of [
      [(fake: NodeProviderFake) => fake.inject({ method: 'POST', path: /./, what: 'fail', status: 403, times: 1 }), 'HTTP 403'],
      [(fake: NodeProviderFake) => fake.stall(), 'it reports that the node is open: sg-default'],
      [(fake: NodeProviderFake) => fake.inject({ method: 'POST', path: /./, what: 'fail', status: 500, times: 99 }), 'HTTP 500'],
    ] as const) {
      const { node, provider, action, context, read } = await scene();
      prepare(provider);
      const output = await action.apply({ node }, context);
      expect(await action.verify(output, context)).toMatchObject({
        state: 'unverified',
        detail: expect.stringMatching(new RegExp(`^not contained: ${host(provider)} has not isolated the node: .*${why}`)),
      });
      expect((await read()).spec.unschedulable).toBe(true);
    }
  });

  test('is released at the provider even though the node is gone, but not if somebody has uncordoned it', async () => {
    const gone = await scene();
    await gone.action.apply({ node: gone.node }, gone.context);
    await cluster.api.json({ method: 'DELETE', path: gone.path, what: 'take the node away' });
    const undo = { input: { node: gone.node }, key: gone.context.key };
    expect(await gone.action.undo(undo, gone.context)).toMatchObject({ state: 'gone' });
    expect(gone.provider.isolated()).toEqual([]);

    const { node, path, provider, action, context } = await scene();
    await action.apply({ node }, context);
    const body = { spec: { unschedulable: null } };
    await cluster.api.json({ method: 'PATCH', patch: 'merge', path, body, what: 'uncordon by hand' });
    expect(await action.undo({ input: { node }, key: context.key }, context)).toMatchObject({ state: 'drifted' });
    expect(provider.isolated()).toEqual([node]);
  });

  test('stays cut off when the note is gone and nobody has allowed its release', async () => {
    const { node, path, provider, action, context } = await scene();
    await action.apply({ node }, context);
    const annotations = { [noteAnnotation('cordonNode')]: null };
    await cluster.api.json({ method: 'PATCH', patch: 'merge', path, body: { metadata: { annotations } }, what: 'take the note' });
    const asked: (readonly ReleasedObject[])[] = [];
    const allow: AllowRelease = async (notes) => {
      asked.push(notes);
      throw new FirebreakError('FB_ERR_APPROVAL_INVALID', 'not like this');
    };
    await expect(action.undo({ input: { node }, key: context.key, allow }, context)).rejects.toMatchObject({
      code: 'FB_ERR_APPROVAL_INVALID',
    });
    expect(asked).toEqual([[]]);
    expect(provider.isolated()).toEqual([node]);
  });
});

test('without a hook the plan says that nothing cuts the node off', async () => {
  const cluster = await openCluster(platform.kubeconfig);
  const node = await platform.freshNamespace();
  const ref = await nodeNobodyUses(cluster, node);
  const action = cordonNodeImplementation({ api: cluster.api, view: cluster.view, cellKey });
  const context = stepContext();
  expect((await action.plan({ node }, context)).notes.join(' ')).toContain('No provider’s hook is configured');
  const output = await action.apply({ node }, context);
  expect(await action.verify(output, context)).toMatchObject({
    state: 'applied',
    detail: expect.stringMatching(/^not contained: /),
  });
  await cluster.api.json({ method: 'DELETE', path: pathOf(ref), what: 'clean up' });
  await cluster.close();
});
