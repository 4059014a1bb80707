import { stringify } from 'yaml';
import { type Pool, pools } from '../../core/action/action.ts';

/** Where Firebreak's doors are, and what it talks to; the usual port where nothing is said. */
export interface NetworkPorts {
  readonly intake?: number | undefined;
  readonly desk?: number | undefined;
  readonly status?: number | undefined;
  /** Where pods bring evidence. Absent: nowhere. */
  readonly uploads?: number | undefined;
  readonly temporal?: number | undefined;
  /** Of the API server's own pods or hosts. */
  readonly apiServer?: number | undefined;
  /** Of an S3 server of one's own; HTTPS is open anyway. */
  readonly evidence?: number | undefined;
  /** Of the OpenTelemetry collector, which every role sends to. Absent: nowhere. */
  readonly collector?: readonly number[];
  /** Of the receivers of streams, which the desk sends to. Absent: nowhere. */
  readonly streams?: readonly number[];
}

const https = 443;
const dns = 53;
const postgres = 5_432;
const vault = 8_200;

/** Where the DNS cache of a node listens, on clusters that have one. */
const dnsOfTheNode = { ipBlock: { cidr: '169.254.20.10/32' } };

/** Not the addresses of the link, where clouds give out the credentials of the node. */
const anywhere = [
  { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16'] } },
  { ipBlock: { cidr: '::/0', except: ['fe80::/10', 'fd00:ec2::254/128'] } },
];

/** What pods of this role carry, so that one with several roles may what each of them may. */
export function roleLabel(role: Pool): Readonly<Record<string, string>> {
  return { [`firebreak.dev/role-${role}`]: 'true' };
}

/**
 * A NetworkPolicy for each role: in only by its own door, out only by the ports of what it talks to. Names of hosts no NetworkPolicy knows, so
 * where a port leads stays open; a network with policies by name can narrow that.
 */
export function networkPolicies({
  namespace,
  ports = {},
}: {
  readonly namespace: string;
  readonly ports?: NetworkPorts;
}): ReadonlyMap<Pool, object> {
  const {
    intake = 8_765,
    desk = 8_766,
    status = 8_767,
    uploads,
    temporal = 7_233,
    evidence = https,
    collector = [],
    streams = [],
  } = ports;
  // As its Service has it, and as its pods do: some networks look at one, some at the other.
  const apiServer = [https, ports.apiServer ?? 6_443];
  const roles: Readonly<Record<Pool, { readonly doors: readonly number[]; readonly out: readonly number[] }>> = {
    cell: { doors: [intake], out: [...apiServer, temporal, evidence, vault] },
    secrets: { doors: [], out: [...apiServer, temporal, postgres, vault] },
    forensics: { doors: uploads === undefined ? [] : [uploads], out: [...apiServer, temporal, evidence, vault] },
    packs: { doors: [], out: [...apiServer, temporal, evidence, vault] },
    desk: { doors: [desk], out: [https, temporal, postgres, ...streams] },
  };
  const tcp = (numbers: readonly number[]): readonly object[] =>
    [...new Set(numbers)].sort((a, b) => a - b).map((port) => ({ protocol: 'TCP', port }));
  const policyOf = (role: Pool): object => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      name: `firebreak-${role}`,
      namespace,
      labels: { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': role },
    },
    spec: {
      podSelector: { matchLabels: roleLabel(role) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        ...(roles[role].doors.length > 0 ? [{ ports: tcp(roles[role].doors) }] : []),
        {
          from: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } }],
          ports: tcp([status]),
        },
      ],
      egress: [
        {
          to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }, dnsOfTheNode],
          ports: [
            { protocol: 'UDP', port: dns },
            { protocol: 'TCP', port: dns },
          ],
        },
        { to: anywhere, ports: tcp([...roles[role].out, ...collector]) },
      ],
    },
  });
  return new Map(pools.map((role) => [role, policyOf(role)]));
}

export function networkManifest(policies: Iterable<object>): string {
  const head = [
    '# Made by `firebreak rbac network`: do not edit. With `--config` it has the ports of that configuration.',
    '# Pods of a role carry the label `firebreak.dev/role-ROLE: "true"`; one with several roles carries that of each.',
  ];
  return `${head.join('\n')}\n${[...policies].map((one) => stringify(one, { lineWidth: 0 })).join('---\n')}`;
}
