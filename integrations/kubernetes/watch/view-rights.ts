import type { Right } from '../../../core/action/action.ts';
import { otherPolicyKinds } from '../policies/other-policies.ts';

/** What the watch cache of the cell reads: names, labels, owners; never a Secret. */
export const viewRights: readonly Right[] = [
  { apiGroup: '', resource: 'pods', verbs: ['list', 'watch'] },
  { apiGroup: '', resource: 'services', verbs: ['list', 'watch'] },
  { apiGroup: '', resource: 'namespaces', verbs: ['list', 'watch'] },
  { apiGroup: '', resource: 'nodes', verbs: ['list', 'watch'] },
  { apiGroup: 'apps', resource: 'replicasets', verbs: ['list', 'watch'] },
  { apiGroup: 'batch', resource: 'jobs', verbs: ['list', 'watch'] },
  { apiGroup: 'networking.k8s.io', resource: 'networkpolicies', verbs: ['list', 'watch'] },
  { apiGroup: 'networking.k8s.io', resource: 'ingresses', verbs: ['list', 'watch'] },
  ...otherPolicyKinds.map(({ group, resource }) => ({ apiGroup: group, resource, verbs: ['list', 'watch'] })),
  { apiGroup: 'policy', resource: 'poddisruptionbudgets', verbs: ['list', 'watch'] },
  { apiGroup: 'autoscaling', resource: 'horizontalpodautoscalers', verbs: ['list', 'watch'] },
];
