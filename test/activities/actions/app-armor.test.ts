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

test('a profile is set if every node has a pod running under one', () => {
  expect(ask([running('a', runtimeDefault), running('a'), running('b', runtimeDefault)])).toBeUndefined();
});

test.each([
  ['one node has no such pod', [running('a', runtimeDefault), running('b')]],
  ['the only such pod was refused', [running('a', runtimeDefault, 'Failed'), running('a')]],
  ['the pod runs unconfined', [running('a', { appArmorProfile: { type: 'Unconfined' } })]],
  ['no pods run', []],
])('no profile is set if %s', (_what, pods) => {
  expect(ask(pods)).toContain('not every node has a pod that shows');
});

test('the configuration can vouch for every node, but does not override a profile in annotations', () => {
  expect(ask([], { everywhere: true })).toBeUndefined();
  const annotations = { 'container.apparmor.security.beta.kubernetes.io/main': 'unconfined' };
  expect(ask([], { everywhere: true, template: { metadata: { annotations } } })).toContain('outdated annotations');
});
