import { expect, test } from '@jest/globals';
import { whyNoAppArmor } from '../../../activities/actions/workloads/app-armor.ts';
import { podRecord } from '../../../integrations/kubernetes/watch/projection.ts';

const running = (node: string, securityContext?: object, phase = 'Running') =>
  podRecord({
    metadata: { name: `on-${node}`, namespace: 'shop', uid: `${node}-${JSON.stringify(securityContext)}` },
    spec: { nodeName: node, containers: [{ name: 'main', image: 'shop/cart:1', ...(securityContext && { securityContext }) }] },
    status: { phase },
  });
const runtimeDefault = { appArmorProfile: { type: 'RuntimeDefault' } };
const ask = (
  pods: readonly ReturnType<typeof running>[],
  over: { readonly everywhere?: boolean; readonly template?: object } = {},
) => whyNoAppArmor({ view: { ready: () => true, pods: () => pods }, everywhere: false, template: {}, ...over });

test('a profile is given where on each node a pod runs under one', () => {
  expect(ask([running('a', runtimeDefault), running('a'), running('b', runtimeDefault)])).toBeUndefined();
});

test.each([
  ['on one node no pod shows it', [running('a', runtimeDefault), running('b')]],
  ['the pod that would show it was refused', [running('a', runtimeDefault, 'Failed'), running('a')]],
  ['it runs unconfined', [running('a', { appArmorProfile: { type: 'Unconfined' } })]],
  ['nothing runs', []],
])('none is given where %s', (_what, pods) => {
  expect(ask(pods)).toContain('not every node has a pod that shows');
});

test('the configuration’s word is enough, but not against a profile in annotations', () => {
  expect(ask([], { everywhere: true })).toBeUndefined();
  const annotations = { 'container.apparmor.security.beta.kubernetes.io/main': 'unconfined' };
  expect(ask([], { everywhere: true, template: { metadata: { annotations } } })).toContain('outdated annotations');
});
