import { afterAll, describe, expect, test } from '@jest/globals';
import { names } from '../../../../core/cluster/labels.ts';
import { pathOf } from '../../../../integrations/kubernetes/client.ts';
import { removeOwnPod, runToEnd, startOwnPod } from '../../../../integrations/kubernetes/pods/own-pod.ts';
import type { OwnPod } from '../../../../integrations/kubernetes/pods/own-pod-manifest.ts';
import { testPlatform } from '../../../platform.ts';
import { openCluster, until } from '../parts/cluster.ts';

const { kubeconfig, freshNamespace } = await testPlatform();
const namespace = await freshNamespace();
const cluster = await openCluster(kubeconfig, { watches: false });
afterAll(() => cluster.close());
const { api } = cluster;

/** A pod on a node without a simulated kubelet: the test decides what becomes of it. */
const ownPod = (name: string, more: Partial<OwnPod> = {}): OwnPod => ({
  namespace,
  name,
  node: 'nobody',
  network: 'pod',
  image: 'shop/tools:1',
  command: ['/tool'],
  step: `step-of-${name}`,
  livesSeconds: 60,
  ...more,
});
const say = (name: string, status: object) =>
  api.json({
    method: 'PATCH',
    patch: 'strategic',
    path: pathOf({ resource: 'pods', namespace, name, subresource: 'status' }),
    body: { status },
    what: 'say what a kubelet would',
  });
const main = (state: object) => ({ name: 'main', image: 'i', imageID: '', ready: false, restartCount: 0, state });
const exited = (exitCode: number, more: object = {}) => [main({ terminated: { exitCode, ...more } })];
const asked = (pod: OwnPod) => runToEnd({ api, pod, patienceMs: 200, signal: AbortSignal.timeout(120_000) });
const started = (pod: OwnPod) => startOwnPod({ api, pod, patienceMs: 200, signal: AbortSignal.timeout(120_000) });
const uidOf = async (name: string) => (await cluster.pod(namespace, name)).metadata?.uid;
const disrupted = [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet' }];

describe('a pod of our own on the real API server', () => {
  test.each([
    ['its deadline passed before its image was there', { phase: 'Failed', reason: 'DeadlineExceeded' }],
    ['its deadline passed while it ran', { phase: 'Failed', reason: 'DeadlineExceeded', containerStatuses: exited(137) }],
    ['it was evicted', { phase: 'Failed', reason: 'Evicted' }],
    ['its node shut down', { phase: 'Failed', reason: 'Terminated', containerStatuses: exited(143) }],
    ['its node had no room', { phase: 'Failed', reason: 'OutOfmemory' }],
    ['it made room', { phase: 'Failed', conditions: disrupted, containerStatuses: exited(137) }],
    ['its node lost it', { phase: 'Failed', containerStatuses: exited(137, { reason: 'ContainerStatusUnknown' }) }],
  ])('is recreated on the next attempt when %s', async (why, status) => {
    const name = `ended-${why.replaceAll(/\W+/g, '-')}`;
    const pod = ownPod(name);
    await expect(asked(pod)).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      detail: expect.stringContaining('has not run'),
    });
    const first = await uidOf(name);
    await say(name, status);
    await expect(asked(pod)).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      detail: expect.stringContaining('has not run'),
    });
    expect(await uidOf(name)).not.toBe(first);
  });

  test('that ends while we wait for it is no refusal: it can be retried', async () => {
    const pod = ownPod('waited-for');
    const attempt = runToEnd({ api, pod, patienceMs: 10_000, signal: AbortSignal.timeout(120_000) }).catch(
      (error: unknown) => error,
    );
    await until(() => uidOf('waited-for').catch(() => undefined));
    await say('waited-for', { phase: 'Failed', reason: 'DeadlineExceeded', containerStatuses: exited(137) });
    expect(await attempt).toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      detail: expect.stringContaining('was ended on nobody before it had finished its work: DeadlineExceeded'),
    });
  });

  test('whose command failed stays, and is refused on every attempt', async () => {
    const pod = ownPod('failed');
    await asked(pod).catch(() => undefined);
    const first = await uidOf('failed');
    await say('failed', { phase: 'Failed', containerStatuses: exited(3, { reason: 'Error' }) });
    for (const _ of [1, 2])
      await expect(asked(pod)).rejects.toMatchObject({
        code: 'FB_ERR_REFUSED',
        detail: expect.stringContaining('exit code 3 (Error)'),
      });
    expect(await uidOf('failed')).toBe(first);
  });

  test('that has answered is asked again and not recreated, whatever happened to its node since', async () => {
    const pod = ownPod('answered');
    await asked(pod).catch(() => undefined);
    const first = await uidOf('answered');
    await say('answered', {
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      containerStatuses: exited(0, { message: 'dropped 3' }),
    });
    expect(await asked(pod)).toBe('dropped 3');
    expect(await uidOf('answered')).toBe(first);
  });

  test('of another step blocks for good, or is waited for when they take turns, and is replaced when it is dead', async () => {
    await asked(ownPod('taken')).catch(() => undefined);
    const other = ownPod('taken', { step: 'other' });
    await expect(asked(other)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    const inTurn: OwnPod = { ...other, takesTurns: true };
    await expect(started(inTurn)).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      detail: expect.stringContaining('waits for its turn'),
    });
    const first = await cluster.pod(namespace, 'taken');
    await removeOwnPod({ api, pod: other, signal: AbortSignal.timeout(120_000) });
    expect(await uidOf('taken')).toBe(first.metadata?.uid);

    await say('taken', { phase: 'Failed', containerStatuses: exited(2) });
    await expect(started(inTurn)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    const { annotations, creationTimestamp } = (await cluster.pod(namespace, 'taken')).metadata ?? {};
    expect(annotations?.[names.stepAnnotation]).toBe('other');
    const since = Date.parse(first.metadata?.creationTimestamp ?? '') / 1_000;
    expect(annotations?.[names.sinceAnnotation]).toBe(String(since));
    await say('taken', {
      phase: 'Running',
      podIP: '10.0.0.9',
      containerStatuses: [main({ running: { startedAt: creationTimestamp } })],
    });
    expect(await started(inTurn)).toEqual({ address: '10.0.0.9', since });
  });

  test('that was to run until it is removed is recreated when its time has run out', async () => {
    const pod = ownPod('over');
    await started(pod).catch(() => undefined);
    const first = await uidOf('over');
    await say('over', { phase: 'Succeeded', containerStatuses: exited(0, { reason: 'Completed' }) });
    await expect(started(pod)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    expect(await uidOf('over')).not.toBe(first);
  });
});
