import { stringify } from 'yaml';
import { type Pool, pools } from '../../core/action/action.ts';

/** Ports of Firebreak's doors and of what it talks to; default: the usual ones. */
export interface NetworkPorts {
  readonly intake?: number | undefined;
  readonly desk?: number | undefined;
  /** Port of status and metrics; in one pod, each role has its own. */
  readonly status?: number | Readonly<Record<Pool, number>> | undefined;
  /** Port on which pods upload evidence. Absent: none. */
  readonly uploads?: number | undefined;
  readonly temporal?: number | undefined;
  /** Port of the API server's own pods or hosts. */
  readonly apiServer?: number | undefined;
  /** Port of a self-hosted S3 server; HTTPS is open anyway. */
  readonly evidence?: number | undefined;
  /** Ports of the OpenTelemetry collector, which every role sends to. Absent: none. */
  readonly collector?: readonly number[];
  /** Ports of the receivers of streams, which the desk sends to. Absent: none. */
  readonly streams?: readonly number[];
}

const https = 443;
const dns = 53;
const postgres = 5_432;
const vault = 8_200;

/** Where a node's DNS cache listens, on clusters that have one. */
const dnsOfTheNode = { ipBlock: { cidr: '169.254.20.10/32' } };

/** Excludes link-local addresses, where clouds serve the node's credentials. */
const anywhere = [
  { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16'] } },
  { ipBlock: { cidr: '::/0', except: ['fe80::/10', 'fd00:ec2::254/128'] } },
];

/** Pods that may read metrics: those of Prometheus, by the label that its usual charts set. */
const prometheus = [{ namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } }];

/** Label that pods of this role carry, so that a pod with several roles gets the access of each. */
export function roleLabel(role: Pool): Readonly<Record<string, string>> {
  return { [`firebreak.dev/role-${role}`]: 'true' };
}

/**
 * A NetworkPolicy for each role: ingress only to its own door, egress only to the ports of what it talks to. A NetworkPolicy cannot name hosts, so the
 * destination of a port stays open; a network that supports policies by name can narrow that.
 */
export function networkPolicies({
  namespace,
  ports = {},
  metricsFrom = prometheus,
}: {
  readonly namespace: string;
  readonly ports?: NetworkPorts;
  /** Peers that may read metrics. An empty list would admit everybody. */
  readonly metricsFrom?: readonly object[];
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
  // Both the Service's port and the pods' port: some networks check one, some the other.
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
        { from: metricsFrom, ports: tcp([typeof status === 'number' ? status : status[role]]) },
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
