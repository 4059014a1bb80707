import { expect, test } from '@jest/globals';
import { claimNotes, leftOpen } from '../../../activities/actions/containment/left-open.ts';
import { podRecord } from '../../../integrations/kubernetes/watch/projection.ts';

function pod(
  name: string,
  of: { readonly claims?: readonly string[]; readonly networks?: string; readonly phase?: string; readonly spec?: object } = {},
) {
  const volumes = (of.claims ?? []).map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } }));
  const annotations: Record<string, string> = of.networks === undefined ? {} : { 'k8s.v1.cni.cncf.io/networks': of.networks };
  return podRecord({
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, annotations },
    spec: { containers: [{ name: 'main', image: 'shop/cart:1' }], volumes, ...of.spec },
    status: { phase: of.phase ?? 'Running' },
  });
}

test('a pod with only the cluster’s network has nothing left open', () => {
  const alone = pod('cart-1');
  expect([claimNotes([alone]), leftOpen([alone], [alone, pod('cart-2', { claims: ['data'] })])]).toEqual([[], []]);
});

test('a claim is named to the people who decide, and the other pods once they use it', () => {
  const suspect = pod('cart-1', { claims: ['data', 'logs'] });
  const [note, ...more] = claimNotes([suspect]);
  expect([note, more]).toEqual([expect.stringMatching(/^Not cut: volume claim data, volume claim logs\. /), []]);
  expect(leftOpen([suspect], [suspect])).toEqual([]);
  const others = [suspect, pod('web-2', { claims: ['logs'] }), pod('over', { claims: ['logs'], phase: 'Succeeded' })];
  expect(leftOpen([suspect], others)).toEqual(['volume claim logs is shared with pod web-2']);
});

test('pods contained together do not count as sharing with each other', () => {
  const both = [pod('cart-1', { claims: ['data'] }), pod('cart-2', { claims: ['data'] })];
  expect(leftOpen(both, [...both])).toEqual([]);
  expect(leftOpen(both.slice(0, 1), both)).toEqual(['volume claim data is shared with pod cart-2']);
});

test('a claimed device and an ephemeral volume are listed as claims', () => {
  const spec = {
    volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: {} } } }],
    resourceClaims: [
      { name: 'gpu', resourceClaimName: 'gpu-7' },
      { name: 'own', resourceClaimTemplateName: 'gpu' },
    ],
  };
  expect(pod('cart-1', { spec }).claims).toEqual(['persistentvolumeclaim/cart-1-scratch', 'resourceclaim/gpu-7']);
});

test.each([
  ['storage-net', ['storage-net']],
  ['infra/storage-net@eth1, other', ['other', 'storage-net']],
  ['[{"name":"storage-net","namespace":"infra","ips":["10.0.0.9/24"]},{"name":"storage-net"}]', ['storage-net']],
  ['', []],
  ['[{"name":', []],
  ['[7, {"name": 7}]', []],
  ['not a name\u202e, <!channel>', []],
  [`${'a'.repeat(300)}, ok`, ['ok']],
  ['a,b,c,d,e,f,g', ['a', 'b', 'c', 'd', 'e']],
])('from the networks %j these are named', (networks, named) => {
  expect(pod('cart-1', { networks }).otherNetworks ?? []).toEqual(named);
});

test('hundreds of pods do not make the text longer', () => {
  const names = Array.from({ length: 400 }, (_, n) => `${'c'.repeat(200)}${n}`);
  const suspect = pod('cart-1', { claims: names });
  const others = names.map((claim, n) => pod(`web-${n}`, { claims: [claim, names[0] ?? ''] }));
  expect(claimNotes([suspect]).join().length).toBeLessThan(1_000);
  const said = leftOpen([suspect], others);
  expect(said.at(-1)).toBe('397 more');
  expect(said.join().length).toBeLessThan(3_000);
});
