import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { type DenyTier, denyTiers, isDenyTier } from '../../../core/cluster/deny-tier.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { DenyTierWatch, readDenyTier } from '../../../integrations/kubernetes/policies/deny-tier.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, resolved, stepContext, until } from './parts/cluster.ts';

const platform = await testPlatform();
const cluster = await openCluster(platform.kubeconfig);
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const allowDns = { podSelector: {}, egress: [{ ports: [{ port: 53, protocol: 'UDP' }] }], policyTypes: ['Egress'] };
const allowOffice = { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '198.51.100.0/24' } }] }] };

/** As shipped for the person who applies it. */
function shipped({ kind }: DenyTier): { readonly spec: Record<string, unknown> } {
  return parse(readFileSync(join(projectRoot(), 'deploy', 'deny-tier', `${kind}.yaml`), 'utf8'));
}

const pathOfTier = ({ group, version, resource }: DenyTier, name?: string): string =>
  pathOf({ group, version, resource, ...(name !== undefined && { name }) });

const names = (): string[] => [...new Set(denyTiers.map(({ resource, group }) => `${resource}.${group}`))];

/** Defines the kinds as their projects do, as far as needed for a cluster-wide object with a spec; nothing here enforces them. */
async function define({ kind, group, version, resource }: DenyTier): Promise<void> {
  await cluster.post(definitions, {
    metadata: {
      name: `${resource}.${group}`,
      annotations: { 'api-approved.kubernetes.io': 'unapproved, of a test' },
    },
    spec: {
      group,
      scope: 'Cluster',
      names: { kind, plural: resource, singular: kind.toLowerCase() },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
            },
          },
        },
      ],
    },
  });
  await until(async () => {
    const found = await cluster.api
      .json({ method: 'GET', path: pathOfTier({ kind, group, version, resource, spec: {} }), what: 'list' })
      .catch(() => undefined);
    return found;
  });
}

beforeAll(async () => {
  for (const tier of denyTiers) await define(tier);
});

platform.cleanUp(async () => {
  for (const name of names()) await cluster.api.json({ method: 'DELETE', path: `${definitions}/${name}`, what: 'clean up' });
  await cluster.close();
});

describe('the deny tier', () => {
  test.each(denyTiers.map((tier) => [tier.kind, tier] as const))(
    '%s is recognised as shipped, and not once it was changed',
    async (_, tier) => {
      expect(await readDenyTier({ api: cluster.api })).toBeUndefined();
      await cluster.post(pathOfTier(tier), shipped(tier));
      expect(await readDenyTier({ api: cluster.api })).toEqual(tier);
      const changed = { ...tier.spec, egress: [], egressDeny: [] };
      await cluster.api.json({
        method: 'PATCH',
        patch: 'merge',
        path: pathOfTier(tier, 'firebreak-quarantine'),
        body: { spec: changed },
        what: 'open it',
      });
      expect(await readDenyTier({ api: cluster.api })).toBeUndefined();
      await cluster.api.json({ method: 'DELETE', path: pathOfTier(tier, 'firebreak-quarantine'), what: 'take it away' });
    },
  );

  test('tolerates what the API server fills in, and nothing else', () => {
    const calico = denyTiers.find(({ kind }) => kind === 'GlobalNetworkPolicy');
    if (!calico) throw new Error('there is no tier of Calico');
    expect(isDenyTier(calico, { ...calico.spec, tier: 'default' })).toBe(true);
    expect(isDenyTier(calico, { ...calico.spec, tier: 'last' })).toBe(false);
    expect(isDenyTier(calico, { ...calico.spec, namespaceSelector: 'team == "a"' })).toBe(false);
  });

  test.each([
    ['CiliumClusterwideNetworkPolicy', []],
    ['ClusterNetworkPolicy', ['allow-office']],
  ])('with %s a quarantine leaves open: %j', async (kind, open) => {
    const tier = denyTiers.find((one) => one.kind === kind);
    if (!tier) throw new Error(`there is no ${kind}`);
    const namespace = await platform.freshNamespace();
    const policies = pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace });
    await cluster.post(policies, { metadata: { name: 'allow-dns' }, spec: allowDns });
    await cluster.post(policies, { metadata: { name: 'allow-office' }, spec: allowOffice });
    await cluster.post(pathOfTier(tier), shipped(tier));
    const watch = new DenyTierWatch({ api: cluster.api, everyMs: 100 });
    await watch.start();
    try {
      const action = quarantinePodImplementation({ ...cluster, cellKey, denyTier: () => watch.current });
      const input = { pod: resolved(await cluster.makePod(namespace, 'leaky', { metadata: { labels: { app: 'leaky' } } })) };
      const context = stepContext();
      const { notes } = await action.plan(input, context);
      expect(notes).toContain(`${kind} firebreak-quarantine denies its traffic before any NetworkPolicy can allow it.`);
      const exceptions = { forensics: { namespace: 'forensics' } };
      const excepting = quarantinePodImplementation({ ...cluster, cellKey, denyTier: () => watch.current, exceptions });
      expect((await excepting.plan(input, context)).notes).toContain(
        `The configured exceptions have no effect: ${kind} denies before a NetworkPolicy can allow.`,
      );
      const output = await action.apply(input, context);
      expect(output.additivePolicies).toEqual(open);
      expect(await action.verify(output, context)).toMatchObject(
        open.length > 0
          ? { state: 'partial' }
          : { state: 'unverified', detail: expect.stringContaining(`policy and ${kind} are read back`) },
      );
      await cluster.api.json({ method: 'DELETE', path: pathOfTier(tier, 'firebreak-quarantine'), what: 'take it away' });
      expect(await action.verify(output, context)).toMatchObject({
        state: 'partial',
        missing: expect.arrayContaining([`networkpolicy/${namespace}/allow-dns`]),
      });
      await until(async () => (watch.current === undefined ? true : undefined));
    } finally {
      await watch.stop();
    }
  });
});
