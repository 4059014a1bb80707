import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { networkManifest, networkPolicies, roleLabel } from '../../../service/rbac/network-policies.ts';
import { testPlatform } from '../../platform.ts';
import { openCluster } from './parts/cluster.ts';

const platform = await testPlatform();

interface Policy {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly policyTypes: readonly string[];
    readonly ingress: readonly { readonly from?: readonly object[]; readonly ports: readonly { readonly port: number }[] }[];
    readonly egress: readonly { readonly to: readonly object[]; readonly ports: readonly { readonly port: number }[] }[];
  };
}

let cluster: Awaited<ReturnType<typeof openCluster>>;
let namespace: string;
const made = new Map<string, Policy>();

beforeAll(async () => {
  cluster = await openCluster(platform.kubeconfig);
  namespace = await platform.freshNamespace();
  const policies = networkPolicies({ namespace, ports: { uploads: 9_443, temporal: 17_233, intake: 9_000 } });
  const path = pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace });
  for (const document of parseAllDocuments(networkManifest(policies.values()))) {
    const object = document.toJS();
    await cluster.post(path, object);
    made.set(object.metadata.name, await cluster.get<Policy>(`${path}/${object.metadata.name}`));
  }
});
afterAll(() => cluster.close());

function specOf(role: string): Policy['spec'] {
  const policy = made.get(`firebreak-${role}`);
  if (!policy) throw new Error(`no policy of ${role}`);
  return policy.spec;
}
const doorsOf = (role: string): readonly number[] =>
  specOf(role).ingress.flatMap(({ from, ports }) => (from === undefined ? ports.map(({ port }) => port) : []));
const leadsTo = (role: string): readonly number[] => specOf(role).egress.flatMap(({ ports }) => ports.map(({ port }) => port));

describe('the NetworkPolicies of the roles, as the API server stored them', () => {
  test.each(['cell', 'secrets', 'forensics', 'desk'] as const)('close %s both ways, except for what its policy names', (role) => {
    expect(specOf(role)).toMatchObject({ policyTypes: ['Ingress', 'Egress'], podSelector: { matchLabels: roleLabel(role) } });
  });

  test('open only each role’s own port, and the status port only to Prometheus', () => {
    expect(doorsOf('cell')).toEqual([9_000]);
    expect(doorsOf('desk')).toEqual([8_766]);
    expect(doorsOf('forensics')).toEqual([9_443]);
    expect(doorsOf('secrets')).toEqual([]);
    for (const { spec } of made.values()) {
      const status = spec.ingress.find(({ ports }) => ports.some(({ port }) => port === 8_767));
      expect(status?.from).toEqual([
        { namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } },
      ]);
    }
  });

  test('let only the desk and the rotation reach the database, and keep the desk from the API server’s own port', () => {
    expect([...made.keys()].filter((name) => leadsTo(name.replace('firebreak-', '')).includes(5_432))).toEqual([
      'firebreak-secrets',
      'firebreak-desk',
    ]);
    expect(leadsTo('desk')).not.toContain(6_443);
    for (const name of made.keys()) expect(leadsTo(name.replace('firebreak-', ''))).toContain(17_233);
  });

  test('never allow access to a cloud’s metadata service for node credentials', () => {
    for (const { spec } of made.values()) {
      const [forDns, others] = Map.groupBy(spec.egress, ({ ports }) => ports.every(({ port }) => port === 53)).values();
      expect(forDns?.[0]?.to).toContainEqual({ ipBlock: { cidr: '169.254.20.10/32' } });
      const blocks = others?.flatMap(({ to }) => to);
      expect(blocks).toMatchObject([{ ipBlock: { except: ['169.254.0.0/16'] } }, { ipBlock: { except: expect.anything() } }]);
    }
  });
});
