/**
 * What the API server's audit log records of each request: `Metadata` is who did what to which object and when; `RequestResponse` adds the bodies of writes to
 * the objects that Firebreak changes. Only for throw-away clusters: the bodies include Secrets.
 */
export type AuditLevel = 'Metadata' | 'RequestResponse';

/** A custom policy, as the API server reads it from its file. */
export interface AuditPolicy {
  readonly apiVersion: 'audit.k8s.io/v1';
  readonly kind: 'Policy';
}

/** The audit policy. It excludes the health checks and the leases that the control plane renews every few seconds. */
export function auditPolicy(level: AuditLevel | AuditPolicy): object {
  if (typeof level !== 'string') return level;
  const writes = ['create', 'update', 'patch', 'delete', 'deletecollection'];
  const changed = [
    { group: '', resources: ['pods', 'pods/eviction', 'pods/ephemeralcontainers', 'secrets'] },
    { group: 'networking.k8s.io', resources: ['networkpolicies'] },
    { group: 'apps', resources: ['deployments', 'replicasets', 'statefulsets'] },
  ];
  return {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [
      { level: 'None', nonResourceURLs: ['/readyz*', '/livez*', '/healthz*', '/metrics', '/openapi/*'] },
      { level: 'None', resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }] },
      ...(level === 'RequestResponse' ? [{ level, verbs: writes, resources: changed }] : []),
      { level: 'Metadata' },
    ],
  };
}
