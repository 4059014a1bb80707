import { describe, expect, test } from '@jest/globals';
import { policyOfStep } from '../../../activities/chokepoint/step-policy.ts';
import { IncidentMemory } from '../../../activities/memory/incident-memory.ts';
import { defaultResponse, type ResponseScope } from '../../../core/assessment/policy.ts';
import type { Mode } from '../../../core/assessment/response.ts';
import type { KubernetesCall } from '../../../integrations/kubernetes/call.ts';
import { guardedApi } from '../../../integrations/kubernetes/guarded-api.ts';
import { mayContainIn, ObservedPlaces } from '../../../service/cell/pools/write-barrier.ts';

const what = 'a call of the test';
const labels: Readonly<Record<string, Readonly<Record<string, string>>>> = { shop: { stage: 'prod' }, bank: {} };
const view = { namespaceLabels: (name: string) => labels[name], podByUid: () => undefined };

function configOf(mode: Mode, scopes: readonly ResponseScope[]) {
  return {
    cluster: 'lab',
    response: { ...defaultResponse, mode, scopes, isModeChosen: true },
    kubernetes: { ownNamespace: 'firebreak' },
  };
}

/** What reaches the API server. */
function clusterOf(mode: Mode, scopes: readonly ResponseScope[] = [], known = true) {
  const sent: string[] = [];
  const places = new ObservedPlaces(configOf(mode, scopes), () => (known ? view : undefined));
  const send = async (call: Pick<KubernetesCall, 'path'>) => void sent.push(call.path);
  const api = guardedApi(
    {
      server: 'https://cluster.example',
      json: async (call) => (await send(call)) as never,
      stream: async (call) => (await send(call)) as never,
      socket: async (call) => (await send(call)) as never,
      clock: () => undefined,
      close: () => undefined,
    },
    (call) => places.refuse(call),
  );
  const patch = (path: string) => api.json({ method: 'PATCH', patch: 'merge', path, body: {}, what });
  return { sent, places, api, patch };
}

const pod = (namespace: string) => `/api/v1/namespaces/${namespace}/pods/cart`;
const policy = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/x';

describe('in mode observe', () => {
  test.each<Pick<KubernetesCall, 'method' | 'path'>>([
    { method: 'PATCH', path: pod('shop') },
    { method: 'POST', path: '/api/v1/namespaces/shop/serviceaccounts/default/token' },
    { method: 'POST', path: '/apis/events.k8s.io/v1/namespaces/shop/events' },
    { method: 'PUT', path: '/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/x' },
    { method: 'POST', path: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies' },
    { method: 'PATCH', path: '/api/v1/nodes/node-1' },
    { method: 'DELETE', path: '/api/v1/namespaces/shop' },
    { method: 'GET', path: `${pod('shop')}/exec` },
    { method: 'GET', path: '/api/v1/nodes/node-1/proxy/run' },
  ])('$method $path is not sent', async ({ method, path }) => {
    const { api, sent } = clusterOf('observe');
    const call = { method, path, body: {}, patch: 'merge' as const, what };
    await expect(api.json(call)).rejects.toMatchObject({ code: 'FB_ERR_OBSERVED' });
    await expect(api.socket({ path: `${pod('shop')}/exec`, protocols: [], what })).rejects.toMatchObject({
      code: 'FB_ERR_OBSERVED',
    });
    expect(sent).toEqual([]);
  });

  test('what reads, asks for rights, or stays in our own namespace is sent', async () => {
    const { api, sent, patch } = clusterOf('observe');
    const reviews = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    await api.json({ method: 'GET', path: pod('shop'), what });
    await api.json({ method: 'POST', path: reviews, body: {}, what });
    await patch('/apis/coordination.k8s.io/v1/namespaces/firebreak/leases/x');
    expect(sent).toHaveLength(3);
  });

  test('a step writes nowhere either, and a release of what was taken earlier does', async () => {
    const { places, patch, sent } = clusterOf('observe');
    await expect(places.step(() => patch(pod('shop')))).rejects.toMatchObject({ code: 'FB_ERR_OBSERVED' });
    await places.release(() => patch(pod('shop')));
    expect(sent).toEqual([pod('shop')]);
  });
});

describe('where scopes differ', () => {
  test('only what they open is written', async () => {
    const scopes: readonly ResponseScope[] = [
      { namespaceLabels: { stage: 'prod' }, mode: 'contain' },
      { namespaces: ['tools-*'], playbooks: ['firebreak/a'], mode: 'ask' },
    ];
    const { patch, places, sent } = clusterOf('observe', scopes);
    await patch(pod('shop'));
    await patch(pod('tools-ci'));
    await expect(patch(pod('bank'))).rejects.toMatchObject({ code: 'FB_ERR_OBSERVED' });
    await expect(patch(policy)).rejects.toMatchObject({ code: 'FB_ERR_OBSERVED' });
    await places.step(() => patch(policy));
    expect(sent).toEqual([pod('shop'), pod('tools-ci'), policy]);
  });

  test.each<[Mode, Mode]>([
    ['observe', 'contain'],
    ['contain', 'observe'],
  ])('labels of a namespace that are not known allow nothing (%s, but %s)', async (mode, other) => {
    const { patch } = clusterOf(mode, [{ namespaceLabels: { stage: 'prod' }, mode: other }], false);
    await expect(patch(pod('shop'))).rejects.toMatchObject({ code: 'FB_ERR_OBSERVED' });
  });
});

describe('where something may be contained at once', () => {
  const mayContain = (mode: Mode, scopes: readonly ResponseScope[], namespace: string, known = true) =>
    mayContainIn(configOf(mode, scopes), () => (known ? view : undefined))(namespace);

  test.each<[Mode, boolean]>([
    ['observe', false],
    ['ask', false],
    ['contain', true],
  ])('in mode %s: %s', (mode, expected) => {
    expect(mayContain(mode, [], 'shop')).toBe(expected);
  });

  test('a scope of one playbook, or of labelled workloads, is enough', () => {
    expect(mayContain('ask', [{ playbooks: ['firebreak/a'], mode: 'contain' }], 'shop')).toBe(true);
    expect(mayContain('ask', [{ workloadLabels: { tier: 'web' }, mode: 'contain' }], 'shop')).toBe(true);
    expect(mayContain('contain', [{ namespaces: ['shop'], mode: 'ask' }], 'shop')).toBe(false);
  });

  test('labels of a namespace that are not known are no reason to', () => {
    const scopes: readonly ResponseScope[] = [{ namespaceLabels: { stage: 'prod' }, mode: 'contain' }];
    expect(mayContain('ask', scopes, 'shop')).toBe(true);
    expect(mayContain('ask', scopes, 'shop', false)).toBe(false);
  });
});

describe('the policy of a step', () => {
  const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'r' };
  const modeOf = (scopes: readonly ResponseScope[], namespaces: readonly string[], mode: Mode = 'observe') =>
    policyOfStep(configOf(mode, scopes), { view, incidents: new IncidentMemory() })({ namespaces, playbook: 'a', incident }).mode;

  test('is the weakest of the namespaces that it touches', () => {
    const scopes: readonly ResponseScope[] = [{ namespaces: ['shop'], mode: 'contain' }];
    expect(modeOf(scopes, ['shop'])).toBe('contain');
    expect(modeOf(scopes, ['shop', 'bank'])).toBe('observe');
    expect(modeOf(scopes, [])).toBe('observe');
  });

  test('does not believe a call about its playbook where that makes it stronger', () => {
    expect(modeOf([{ playbooks: ['a'], mode: 'contain' }], ['shop'])).toBe('observe');
    expect(modeOf([{ playbooks: ['a'], mode: 'observe' }], ['shop'], 'contain')).toBe('observe');
  });
});
