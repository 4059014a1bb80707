import { expect, test } from '@jest/globals';
import { templateDifference } from '../../../core/cluster/template-difference.ts';

const template = (over: object = {}, more: object = {}) => ({
  metadata: { labels: { app: 'cart' } },
  spec: {
    containers: [
      {
        name: 'main',
        image: 'shop/cart:1',
        env: [{ name: 'PASSWORD', value: 'canary-1' }],
        command: ['run', 'canary-2'],
        ...over,
      },
    ],
    ...more,
  },
});

test('the same templates have no difference', () => {
  expect(templateDifference(template(), template())).toEqual([]);
});

test('images and rights are listed with their values', () => {
  const to = template({ image: 'shop/cart:2', securityContext: { privileged: true } }, { serviceAccountName: 'admin' });
  expect(templateDifference(template(), to)).toEqual([
    'spec.containers[main].image: shop/cart:1 becomes shop/cart:2',
    'spec.containers[main].securityContext.privileged is added: true',
    'spec.serviceAccountName is added: admin',
  ]);
});

test('profiles are listed with their types, other fields named type without values', () => {
  const profiles = { seccompProfile: { type: 'RuntimeDefault' }, appArmorProfile: { type: 'Unconfined' } };
  const to = template({ securityContext: profiles }, { other: { type: 'canary' } });
  expect(templateDifference(template(), to)).toEqual([
    'spec.containers[main].securityContext.appArmorProfile.type is added: Unconfined',
    'spec.containers[main].securityContext.seccompProfile.type is added: RuntimeDefault',
    'spec.other.type is added',
  ]);
});

test('fields that can contain a secret are only named', () => {
  const to = template({
    env: [
      { name: 'PASSWORD', value: 'canary-3' },
      { name: 'NEW', value: 'canary-4' },
    ],
    command: ['canary-5'],
  });
  const lines = templateDifference(template(), to);
  expect(lines).toEqual([
    'spec.containers[main].command changes',
    'spec.containers[main].env[NEW] is added',
    'spec.containers[main].env[PASSWORD].value changes',
  ]);
  expect(lines.join()).not.toContain('canary');
});

test('containers and volumes are compared by their names, whatever their order', () => {
  const sidecar = { name: 'proxy', image: 'proxy:1' };
  const [main] = template().spec.containers;
  const from = { spec: { containers: [main, sidecar] } };
  expect(templateDifference(from, { spec: { containers: [sidecar, main] } })).toEqual([]);
  expect(templateDifference(from, { spec: { containers: [main] } })).toEqual([
    'spec.containers[proxy] is removed, with the image proxy:1',
  ]);
});
